"""HPF: high-pass filtering, PAN's difference to its local mean is added [chavez1991]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from panflow.methods._injection import UNFITTED, interpolation_halo, pan_matched, with_pan
from panflow.methods._lowpass import smoothing
from panflow.ops.moments import Moments, at_pan, total
from panflow.ops.resample import lowpass, ms_up
from panflow.types import YX, Array, Pair, Sharpener


@dataclass(frozen=True)
class Method(Sharpener):
    """fused_b = E_b + P'_b - P'_L,b, P'_b = PAN with mean and standard deviation of E_b, P'_L,b its box mean.

    The box is ratio + 1 wide (the next odd number), borders replicated. Shapes [B, C, H, W], in counts.
    """

    family: ClassVar[str] = "multiresolution analysis"
    summary: ClassVar[str] = "adds PAN's difference to its local mean"
    citation: ClassVar[str] = "chavez1991"

    moments: Moments = UNFITTED  # of E and P

    def halo(self, ratio: YX) -> int:
        return interpolation_halo(ratio)

    def fit(self, scene: Iterable[Pair]) -> Self:
        return replace(self, moments=total(scene, at_pan(with_pan))[0])

    def __call__(self, pair: Pair) -> Array:
        low = lowpass(pair.pan, smoothing(pair.ratio))
        return ms_up(pair) + pan_matched(pair, self.moments, pair.pan) - pan_matched(pair, self.moments, low)
