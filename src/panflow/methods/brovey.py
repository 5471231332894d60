"""Brovey: bands scaled by the ratio of PAN to their weighted mean [gillespie1987], PAN matched to that mean."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from panflow.arrays import namespace
from panflow.methods._injection import UNFITTED, combine, guarded, with_pan
from panflow.methods._pixelwise import modulated
from panflow.methods._weights import Weighted, Weights
from panflow.ops.moments import Moments, at_pan, mixed, total
from panflow.ops.resample import ms_up
from panflow.types import Array, Pair


@dataclass(frozen=True)
class Method(Weighted):
    """fused_b = E_b P' / I, I = sum w_b E_b, P' = PAN with mean and standard deviation of I.

    Shapes [B, C, H, W], in counts. `weights` w: as `_weights.Weights` takes them. `guard` keeps E_b where I is near
    zero and limits the ratio to 10; None: on, except for toolbox pairs, whose reference adds eps only.
    """

    family: ClassVar[str] = "component substitution"
    summary: ClassVar[str] = "scales all bands by PAN over their weighted mean"
    citation: ClassVar[str] = "gillespie1987"

    guard: bool | None = None
    moments: Moments = UNFITTED  # of I and PAN

    def fit(self, scene: Iterable[Pair]) -> Self:
        weights = Weights(self.weights)

        def planes(pair: Pair) -> Array:
            share = weights.fixed(pair)
            if share is None:
                return with_pan(pair)
            if len(set(pair.phase)) > 1:
                return namespace(pair.pan).concat([combine(share, ms_up(pair)), pair.pan], axis=1)
            return with_pan(replace(pair, ms=combine(share, pair.ms), phase=pair.phase[:1]))

        coarse, fine = total(scene, weights.coarse, at_pan(planes))
        share = weights.value(coarse)
        moments = mixed(fine, share) if weights.chosen == "fit" else fine
        return replace(self, share=share, chosen=weights.chosen, moments=moments)

    def __call__(self, pair: Pair) -> Array:
        m = self.moments
        (mean, pan_mean), (std, pan_std) = ((v[:, :1], v[:, 1:]) for v in (m.mean, m.std))
        return modulated(pair, self.share, (pan_mean, pan_std), (mean, std), guarded(self.guard, pair))
