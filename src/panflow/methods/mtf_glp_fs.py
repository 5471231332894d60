"""MTF-GLP-FS: generalised Laplacian pyramid with the full-scale regression gain [vivone2018]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from panflow.arrays import namespace
from panflow.methods._injection import UNFITTED, pyramid_halo, safe
from panflow.methods._lowpass import unit_low, unit_sense
from panflow.methods._pixelwise import pyramid
from panflow.ops.moments import at_pan, total
from panflow.ops.resample import ms_up
from panflow.types import YX, Array, Pair, Sharpener


@dataclass(frozen=True)
class Method(Sharpener):
    """fused_b = E_b + g_b (P - P_L,b), g_b = cov(E_b, P) / cov(P_L,b, P).

    P_L,b: PAN through band b's MTF, decimated and interpolated back. Shapes [B, C, H, W], in counts.
    """

    family: ClassVar[str] = "multiresolution analysis"
    summary: ClassVar[str] = "injects what the sensor's MTF removes, with a gain fitted at full scale"
    citation: ClassVar[str] = "vivone2018"
    uses_mtf = True

    gain: Array = UNFITTED  # [B, C]

    def halo(self, ratio: YX) -> int:
        return pyramid_halo(ratio)

    def fit(self, scene: Iterable[Pair]) -> Self:
        def planes(pair: Pair) -> Array:
            return namespace(pair.pan).concat([ms_up(pair), unit_low(pair), pair.pan], axis=1)

        cov = total(scene, at_pan(planes))[0].cov[:, :-1, -1]
        bands = cov.shape[1] // 2
        return replace(self, gain=cov[:, :bands] / safe(cov[:, bands:]))

    def __call__(self, pair: Pair) -> Array:
        return pyramid(pair, self.gain, unit_sense(pair))
