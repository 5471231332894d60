"""Bayesian data fusion [fasbender2008], as in Orfeo ToolBox [otb]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from panflow.arrays import namespace
from panflow.methods._injection import (
    UNFITTED,
    combine,
    intensity_moments,
    interpolation_halo,
    per_band,
    safe,
    solve,
    with_pan,
)
from panflow.ops.moments import at_pan, bounding, total
from panflow.ops.resample import ms_up
from panflow.types import YX, Array, Pair, Sharpener


@dataclass(frozen=True)
class Method(Sharpener):
    """fused = E + K (P - a - beta E), K = S beta / ((1 - lambda) / lambda s + beta S beta).

    P = a + beta E + noise of variance s is regressed on E; S is the covariance of E. This is the maximum of
    lambda log p(P | x) + (1 - lambda) log p(x | E) with x ~ N(E, S), the form in which Orfeo ToolBox has it, with
    the inverse of S eliminated. lambda: weight of PAN, from 0 (E itself) to 1. Shapes [B, C, H, W], in counts.
    """

    family: ClassVar[str] = "component substitution"
    summary: ClassVar[str] = "the likeliest bands given PAN and MS (Orfeo ToolBox)"
    citation: ClassVar[str] = "fasbender2008"

    weight: float = 0.9999  # lambda
    beta: Array = UNFITTED  # [B, C]
    offset: Array = UNFITTED  # a [B, 1]
    gain: Array = UNFITTED  # K [B, C]

    def halo(self, ratio: YX) -> int:
        return interpolation_halo(ratio)

    def fit(self, scene: Iterable[Pair]) -> Self:
        m = total(scene, at_pan(with_pan))[0]
        xp = namespace(m.mean)
        beta = solve(m.cov[:, :-1, :-1], m.cov[:, :-1, -1])
        mean, std, covariance = intensity_moments(m, beta)
        count = m.count[:, None]
        freedom = (count - 1) / xp.clip(count - beta.shape[1] - 1, 1, None)
        noise = freedom * xp.clip(m.cov[:, -1, -1, None] - std**2, 0, None)
        power = bounding(std**2, m.cov[:, -1:, -1])
        gain = self.weight * covariance / safe((1 - self.weight) * noise + self.weight * power)
        return replace(self, beta=beta, offset=m.mean[:, -1:] - mean, gain=gain)

    def __call__(self, pair: Pair) -> Array:
        bands = ms_up(pair)
        detail = pair.pan - per_band(self.offset, bands) - combine(self.beta, bands)
        return bands + per_band(self.gain, bands) * detail
