"""GS: Gram-Schmidt spectral sharpening, the intensity being a weighted mean of the bands [laben2000]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from panflow.methods._injection import (
    UNFITTED,
    combine,
    intensity_moments,
    matched,
    per_band,
    safe,
    with_pan,
)
from panflow.methods._weights import Weighted, Weights
from panflow.ops.moments import Moments, at_pan, total
from panflow.ops.resample import ms_up
from panflow.types import Array, Pair


@dataclass(frozen=True)
class Method(Weighted):
    """fused_b = E_b + g_b (P' - I), g_b = cov(I, E_b) / var(I), I = sum w_b E_b.

    P': PAN with the mean and standard deviation of I. `weights` w: as `_weights.Weights` takes them. Shapes
    [B, C, H, W], in counts.
    """

    family: ClassVar[str] = "component substitution"
    summary: ClassVar[str] = "Gram-Schmidt: replaces the bands' weighted mean by PAN, by each band's covariance with it"
    citation: ClassVar[str] = "laben2000"

    moments: Moments = UNFITTED  # of E and P

    def fit(self, scene: Iterable[Pair]) -> Self:
        weights = Weights(self.weights)
        coarse, moments = total(scene, weights.coarse, at_pan(with_pan))
        return replace(self, share=weights.value(coarse), chosen=weights.chosen, moments=moments)

    def __call__(self, pair: Pair) -> Array:
        m, weights = self.moments, self.share
        mean, std, covariance = intensity_moments(m, weights)
        bands = ms_up(pair)
        detail = matched(pair.pan, (m.mean[:, -1:], m.std[:, -1:]), (mean, std)) - combine(weights, bands)
        return bands + per_band(covariance / safe(std**2), bands) * detail
