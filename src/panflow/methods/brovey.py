"""Brovey: bands scaled by the ratio of PAN to their mean [gillespie1987], PAN matched to that mean."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from panflow.arrays import namespace
from panflow.methods._injection import UNFITTED, guarded
from panflow.methods._pixelwise import modulated
from panflow.ops.moments import Moments, at_pan, total
from panflow.ops.resample import ms_up
from panflow.types import YX, Array, Pair, Sharpener


@dataclass(frozen=True)
class Method(Sharpener):
    """fused_b = E_b P' / I, I = mean of E over bands, P' = PAN with mean and standard deviation of I.

    Shapes [B, C, H, W], in counts. `guard` keeps E_b where I is near zero and limits the ratio to 10; None:
    on, except for toolbox pairs, whose reference adds eps only.
    """

    family: ClassVar[str] = "component substitution"
    summary: ClassVar[str] = "scales all bands by PAN over their mean"
    citation: ClassVar[str] = "gillespie1987"

    guard: bool | None = None
    moments: Moments = UNFITTED  # of I and PAN

    def halo(self, ratio: YX) -> int:
        return 0

    def fit(self, scene: Iterable[Pair]) -> Self:
        def planes(pair: Pair) -> Array:
            xp = namespace(pair.pan)
            if len(set(pair.phase)) > 1:
                return xp.concat([xp.mean(ms_up(pair), axis=1, keepdims=True), pair.pan], axis=1)
            mean = replace(pair, ms=xp.mean(pair.ms, axis=1, keepdims=True), phase=pair.phase[:1])
            return xp.concat([ms_up(mean), pair.pan], axis=1)

        return replace(self, moments=total(scene, at_pan(planes))[0])

    def __call__(self, pair: Pair) -> Array:
        m = self.moments
        weights = namespace(pair.pan).full_like(pair.ms[:, :, 0, 0], 1 / pair.bands)
        (mean, pan_mean), (std, pan_std) = ((v[:, :1], v[:, 1:]) for v in (m.mean, m.std))
        return modulated(pair, weights, (pan_mean, pan_std), (mean, std), guarded(self.guard, pair))
