"""GS: Gram-Schmidt spectral sharpening, the intensity being the bands' plain mean [laben2000]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from panflow.arrays import namespace
from panflow.methods._injection import (
    UNFITTED,
    combine,
    intensity_moments,
    matched,
    per_band,
    safe,
    with_pan,
)
from panflow.ops.moments import Moments, at_pan, total
from panflow.ops.resample import ms_up
from panflow.types import YX, Array, Pair, Sharpener


@dataclass(frozen=True)
class Method(Sharpener):
    """fused_b = E_b + g_b (P' - I), g_b = cov(I, E_b) / var(I), I = mean of E over bands.

    P': PAN with the mean and standard deviation of I. Shapes [B, C, H, W], in counts.
    """

    family: ClassVar[str] = "component substitution"
    summary: ClassVar[str] = "Gram-Schmidt: replaces the bands' mean by PAN, by each band's covariance with it"
    citation: ClassVar[str] = "laben2000"

    moments: Moments = UNFITTED  # of E and P

    def halo(self, ratio: YX) -> int:
        return 0

    def fit(self, scene: Iterable[Pair]) -> Self:
        return replace(self, moments=total(scene, at_pan(with_pan))[0])

    def __call__(self, pair: Pair) -> Array:
        m = self.moments
        weights = namespace(m.mean).ones_like(m.mean[:, :-1]) / pair.bands
        mean, std, covariance = intensity_moments(m, weights)
        bands = ms_up(pair)
        detail = matched(pair.pan, (m.mean[:, -1:], m.std[:, -1:]), (mean, std)) - combine(weights, bands)
        return bands + per_band(covariance / safe(std**2), bands) * detail
