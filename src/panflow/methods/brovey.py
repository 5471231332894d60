"""Brovey: bands scaled by the ratio of PAN to their mean [gillespie1987], PAN matched to that mean."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from panflow.arrays import namespace
from panflow.methods._fused import modulated
from panflow.methods._injection import UNFITTED, guarded, intensity_moments
from panflow.ops.moments import Moments, at_pan, total
from panflow.ops.resample import ms_up
from panflow.types import YX, Array, Pair


@dataclass(frozen=True)
class Method:
    """fused_b = E_b P' / I, I = mean of E over bands, P' = PAN with mean and standard deviation of I.

    Shapes [B, C, H, W], in counts. `guard` keeps E_b where I is near zero and limits the ratio to 10; None:
    on, except for toolbox pairs, whose reference adds eps only.
    """

    family: ClassVar[str] = "component substitution"
    summary: ClassVar[str] = "scales all bands by PAN over their mean"
    citation: ClassVar[str] = "gillespie1987"
    cost: ClassVar[float] = 1.0  # times brovey's

    guard: bool | None = None
    moments: Moments = UNFITTED

    def halo(self, ratio: YX) -> int:
        return 0

    def fit(self, scene: Iterable[Pair]) -> Self:
        def planes(pair: Pair) -> Array:
            return namespace(pair.pan).concat([ms_up(pair), pair.pan], axis=1)

        return replace(self, moments=total(scene, at_pan(planes))[0])

    def __call__(self, pair: Pair) -> Array:
        m = self.moments
        xp = namespace(pair.pan)
        weights = xp.ones_like(m.mean[:, :-1]) / pair.bands
        mean, std, _ = intensity_moments(m, weights)
        return modulated(pair, weights, (m.mean[:, -1:], m.std[:, -1:]), (mean, std), guarded(self.guard, pair))
