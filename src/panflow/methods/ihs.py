"""IHS: fast intensity-hue-saturation fusion for any number of bands [tu2001]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from panflow.methods._injection import UNFITTED, combine, intensity_moments, matched, with_pan
from panflow.methods._weights import Weighted, Weights
from panflow.ops.moments import Moments, at_pan, total
from panflow.ops.resample import ms_up
from panflow.types import Array, Pair


@dataclass(frozen=True)
class Method(Weighted):
    """fused_b = E_b + P' - I, I = sum w_b E_b, P' = PAN with mean and standard deviation of I.

    `weights` w: as `_weights.Weights` takes them. Shapes [B, C, H, W], in counts.
    """

    family: ClassVar[str] = "component substitution"
    summary: ClassVar[str] = "adds to all bands what PAN has over their weighted mean"
    citation: ClassVar[str] = "tu2001"

    moments: Moments = UNFITTED  # of E and P

    def fit(self, scene: Iterable[Pair]) -> Self:
        weights = Weights(self.weights)
        coarse, moments = total(scene, weights.coarse, at_pan(with_pan))
        return replace(self, share=weights.value(coarse), chosen=weights.chosen, moments=moments)

    def __call__(self, pair: Pair) -> Array:
        m, weights = self.moments, self.share
        mean, std, _ = intensity_moments(m, weights)
        bands = ms_up(pair)
        return bands + matched(pair.pan, (m.mean[:, -1:], m.std[:, -1:]), (mean, std)) - combine(weights, bands)
