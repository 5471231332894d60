"""IHS: fast intensity-hue-saturation fusion for any number of bands [tu2001]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from panflow.arrays import namespace
from panflow.methods._injection import UNFITTED, combine, intensity_moments, matched, with_pan
from panflow.ops.moments import Moments, at_pan, total
from panflow.ops.resample import ms_up
from panflow.types import YX, Array, Pair, Sharpener


@dataclass(frozen=True)
class Method(Sharpener):
    """fused_b = E_b + P' - I, I = mean of E over bands, P' = PAN with mean and standard deviation of I.

    Shapes [B, C, H, W], in counts.
    """

    family: ClassVar[str] = "component substitution"
    summary: ClassVar[str] = "adds to all bands what PAN has over their mean"
    citation: ClassVar[str] = "tu2001"

    moments: Moments = UNFITTED  # of E and P

    def halo(self, ratio: YX) -> int:
        return 0

    def fit(self, scene: Iterable[Pair]) -> Self:
        return replace(self, moments=total(scene, at_pan(with_pan))[0])

    def __call__(self, pair: Pair) -> Array:
        m = self.moments
        weights = namespace(m.mean).ones_like(m.mean[:, :-1]) / pair.bands
        mean, std, _ = intensity_moments(m, weights)
        bands = ms_up(pair)
        return bands + matched(pair.pan, (m.mean[:, -1:], m.std[:, -1:]), (mean, std)) - combine(weights, bands)
