"""GSA: adaptive Gram-Schmidt, the intensity fitted to the low-pass PAN by regression [aiazzi2007]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from panflow.methods._injection import UNFITTED, intensity_moments, interpolation_halo, safe, solve, with_pan
from panflow.methods._pixelwise import added
from panflow.methods._weights import coarse
from panflow.ops.moments import Moments, at_ms, at_pan, bounding, total
from panflow.types import YX, Array, Pair, Sharpener


@dataclass(frozen=True)
class Method(Sharpener):
    """fused_b = E_b + g_b ((P - mean P) - (I - mean I)), g_b = cov(I, E_b) / var(I), I = sum w_b E_b.

    The weights w regress the "a trous" low-pass of PAN, decimated, on MS at MS scale. Shapes [B, C, H, W], in
    counts.
    """

    family: ClassVar[str] = "component substitution"
    summary: ClassVar[str] = "Gram-Schmidt with the intensity that fits PAN best"
    citation: ClassVar[str] = "aiazzi2007"

    weights: Array = UNFITTED  # [B, C]
    moments: Moments = UNFITTED  # of E and P

    def halo(self, ratio: YX) -> int:
        return interpolation_halo(ratio) if self.weights is UNFITTED else 0

    def fit(self, scene: Iterable[Pair]) -> Self:
        regression, moments = total(scene, at_ms(coarse), at_pan(with_pan))
        weights = solve(regression.cov[:, :-1, :-1], regression.cov[:, :-1, -1])
        return replace(self, weights=weights, moments=moments)

    @property
    def intensity(self) -> tuple[str, Array] | None:
        return None if self.weights is UNFITTED else ("fit", self.weights)

    def __call__(self, pair: Pair) -> Array:
        m = self.moments
        mean, std, covariance = intensity_moments(m, self.weights)
        power = std**2
        if not pair.toolbox:
            power = bounding(power, m.std[:, -1:] ** 2)
        return added(pair, covariance / safe(power), self.weights, mean, m.mean[:, -1:])
