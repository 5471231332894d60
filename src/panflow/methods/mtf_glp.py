"""MTF-GLP: generalised Laplacian pyramid matched to the sensor's MTF [aiazzi2006]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from panflow.methods._injection import UNFITTED, pyramid_halo, with_pan
from panflow.methods._lowpass import matched_low, smooth_pan
from panflow.ops.moments import Moments, at_pan, total
from panflow.ops.resample import ms_up
from panflow.types import YX, Array, Pair, Sharpener


@dataclass(frozen=True)
class Method(Sharpener):
    """fused_b = E_b + P'_b - P'_L,b, P'_L,b: P'_b through band b's MTF, decimated and interpolated back.

    P'_b: PAN with the mean of E_b and its contrast scaled by std(E_b) / std(low-pass PAN). Shapes [B, C, H, W], in
    counts.
    """

    family: ClassVar[str] = "multiresolution analysis"
    summary: ClassVar[str] = "adds what the sensor's MTF removes, by each band's contrast"
    citation: ClassVar[str] = "aiazzi2006"
    uses_mtf = True

    moments: Moments = UNFITTED  # of E, low-pass PAN and P

    def halo(self, ratio: YX) -> int:
        return pyramid_halo(ratio)

    def fit(self, scene: Iterable[Pair]) -> Self:
        return replace(self, moments=total(scene, at_pan(lambda pair: with_pan(pair, smooth_pan(pair))))[0])

    def __call__(self, pair: Pair) -> Array:
        pan, low = matched_low(pair, self.moments, -2)
        return ms_up(pair) + pan - low
