"""SFIM: smoothing filter-based intensity modulation [liu2000]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from panflow.methods._injection import UNFITTED, guarded, interpolation_halo, modulation, pan_matched, with_pan
from panflow.methods._lowpass import smoothing
from panflow.ops.moments import Moments, at_pan, total
from panflow.ops.resample import lowpass, ms_up
from panflow.types import YX, Array, Pair, Sharpener


@dataclass(frozen=True)
class Method(Sharpener):
    """fused_b = E_b P'_b / P'_L,b, P'_b = PAN with mean and standard deviation of E_b, P'_L,b its box mean.

    The box is ratio + 1 wide (the next odd number), borders replicated. Shapes [B, C, H, W], in counts. `guard`
    keeps E_b where P'_L,b is near zero and limits the ratio to 10; None: on, except for toolbox pairs.
    """

    family: ClassVar[str] = "multiresolution analysis"
    summary: ClassVar[str] = "scales each band by PAN over its local mean"
    citation: ClassVar[str] = "liu2000"

    guard: bool | None = None
    moments: Moments = UNFITTED  # of E and P

    def halo(self, ratio: YX) -> int:
        return interpolation_halo(ratio)

    def fit(self, scene: Iterable[Pair]) -> Self:
        return replace(self, moments=total(scene, at_pan(with_pan))[0])

    def __call__(self, pair: Pair) -> Array:
        m = self.moments
        pan = pan_matched(pair, m, pair.pan)
        low = pan_matched(pair, m, lowpass(pair.pan, smoothing(pair.ratio)))
        return ms_up(pair) * modulation(pan, low, m.mean[:, :-1], guarded(self.guard, pair))
