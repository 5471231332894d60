"""ATWT: the detail planes of an "a trous" wavelet decomposition of PAN are added [nunez1999]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from panflow.methods._injection import UNFITTED, interpolation_halo, pan_matched, with_pan
from panflow.ops.moments import Moments, at_pan, total
from panflow.ops.resample import atrous, ms_up
from panflow.types import YX, Array, Pair, Sharpener


@dataclass(frozen=True)
class Method(Sharpener):
    """fused_b = E_b + P'_b - P'_L,b, P'_b = PAN with mean and standard deviation of E_b, P'_L,b its "a trous" low-pass.

    log2(ratio) levels of the binomial filter. Shapes [B, C, H, W], in counts.
    """

    family: ClassVar[str] = "multiresolution analysis"
    summary: ClassVar[str] = 'adds PAN\'s "a trous" wavelet planes'
    citation: ClassVar[str] = "nunez1999"

    moments: Moments = UNFITTED  # of E and P

    def halo(self, ratio: YX) -> int:
        return interpolation_halo(ratio)

    def fit(self, scene: Iterable[Pair]) -> Self:
        return replace(self, moments=total(scene, at_pan(with_pan))[0])

    def __call__(self, pair: Pair) -> Array:
        low = atrous(pair.pan, pair.ratio)
        return ms_up(pair) + pan_matched(pair, self.moments, pair.pan) - pan_matched(pair, self.moments, low)
