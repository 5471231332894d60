"""MTF-GLP-CBD: generalised Laplacian pyramid with the regression gain of the low-pass PAN [aiazzi2006]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from panflow.arrays import namespace
from panflow.methods._injection import UNFITTED, per_band, pyramid_halo, safe
from panflow.methods._lowpass import unit_low
from panflow.ops.moments import at_pan, total
from panflow.ops.resample import ms_up
from panflow.types import YX, Array, Pair, Sharpener


@dataclass(frozen=True)
class Method(Sharpener):
    """fused_b = E_b + g_b (P - P_L,b), g_b = cov(P_L,b, E_b) / var(P_L,b).

    P_L,b: PAN through band b's MTF, decimated and interpolated back. One gain a band for the whole scene (the
    toolbox calls it GS2-GLP), no blocks as in the context-based decision of the paper. Shapes [B, C, H, W], in
    counts.
    """

    family: ClassVar[str] = "multiresolution analysis"
    summary: ClassVar[str] = "injects what the sensor's MTF removes, with a gain fitted at MS resolution"
    citation: ClassVar[str] = "aiazzi2006"
    uses_mtf = True

    gain: Array = UNFITTED  # [B, C]

    def halo(self, ratio: YX) -> int:
        return pyramid_halo(ratio)

    def fit(self, scene: Iterable[Pair]) -> Self:
        def planes(pair: Pair) -> Array:
            return namespace(pair.pan).concat([ms_up(pair), unit_low(pair)], axis=1)

        cov = total(scene, at_pan(planes))[0].cov
        bands = cov.shape[1] // 2
        diagonal = namespace(cov).linalg.diagonal
        return replace(self, gain=diagonal(cov[:, :bands, bands:]) / safe(diagonal(cov)[:, bands:]))

    def __call__(self, pair: Pair) -> Array:
        bands = ms_up(pair)
        return bands + per_band(self.gain, bands) * (pair.pan - unit_low(pair))
