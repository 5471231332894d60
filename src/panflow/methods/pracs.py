"""PRACS: partial replacement adaptive component substitution [choi2011]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from panflow.arrays import namespace
from panflow.methods._injection import (
    UNFITTED,
    combine,
    guarded,
    interpolation_halo,
    matched,
    modulation,
    per_band,
    reread,
    safe,
    solve,
    with_pan,
)
from panflow.methods._lowpass import reduced_pan
from panflow.ops.moments import Moments, at_pan, total
from panflow.ops.resample import ms_up
from panflow.types import YX, Array, Pair, Sharpener


@dataclass(frozen=True)
class Method(Sharpener):
    """fused_b = E_b + w_b L_b D_b, D_b = I_b - J_b without their means.

    E'_b: E_b with PAN's mean and standard deviation, not below 0; I the regression of the low-pass PAN (bicubic
    down and up) on E'; I_b = r_b P + (1 - r_b) E'_b with r_b = corr(I, E'_b); J_b the regression of the low-pass
    of I_b on E'. w_b = beta corr(J_b, E_b) std(E_b) / mean of std(E); L_b = 1 - |1 - corr(I, E_b) E_b / J_b|.
    beta: 0.95, for data of 11 bits (the paper gives 1.95 for 8 bits). Shapes [B, C, H, W], in counts. `guard`
    takes E_b / J_b as 1 where J_b is near zero and limits it to 10; None: on, except for toolbox pairs.
    """

    family: ClassVar[str] = "component substitution"
    summary: ClassVar[str] = "replaces a part of each band by PAN, as much as it correlates with it"
    citation: ClassVar[str] = "choi2011"

    guard: bool | None = None
    beta: float = 0.95
    scene: Moments = UNFITTED  # of E and P
    share: Array = UNFITTED  # r [B, C]
    weights: Array = UNFITTED  # of J: [B, C, C], one row a band
    offset: Array = UNFITTED  # of J: [B, C]
    low_mean: Array = UNFITTED  # of J: [B, C]
    excess: Array = UNFITTED  # mean of I_b - J_b: [B, C]
    gain: Array = UNFITTED  # w [B, C]
    likeness: Array = UNFITTED  # corr(I, E_b) [B, C]

    def halo(self, ratio: YX) -> int:
        return interpolation_halo(ratio)

    def fit(self, scene: Iterable[Pair]) -> Self:
        scene = reread(scene)
        first = total(scene, at_pan(with_pan))[0]

        def planes(pair: Pair) -> Array:
            like_pan = _like_pan(ms_up(pair), first)
            low = reduced_pan(pair, namespace(like_pan).concat([like_pan, pair.pan], axis=1))
            return with_pan(pair, like_pan, low)

        second = total(scene, at_pan(planes))[0]
        xp = namespace(second.mean)
        c = first.mean.shape[1] - 1
        cov, mean, std = second.cov, second.mean, second.std
        e, like_pan, low = slice(0, c), slice(c, 2 * c), slice(2 * c, 3 * c)
        auto = cov[:, like_pan, like_pan]

        alpha = solve(auto, cov[:, like_pan, 3 * c])
        spread = xp.sqrt(xp.clip(xp.sum(alpha * (auto @ alpha[:, :, None])[:, :, 0], axis=1, keepdims=True), 0, None))
        share = (auto @ alpha[:, :, None])[:, :, 0] / safe(spread * std[:, like_pan])
        likeness = (cov[:, e, like_pan] @ alpha[:, :, None])[:, :, 0] / safe(spread * std[:, e])

        targets = share[:, None, :] * cov[:, like_pan, 3 * c, None] + (1 - share)[:, None, :] * cov[:, like_pan, low]
        weights = xp.stack([solve(auto, targets[:, :, b]) for b in range(c)], axis=1)
        low_mean = share * mean[:, 3 * c, None] + (1 - share) * mean[:, low]
        offset = low_mean - (weights @ mean[:, like_pan, None])[:, :, 0]
        variance = xp.sum((weights @ auto) * weights, axis=2)
        with_e = xp.sum(weights * cov[:, e, like_pan], axis=2)
        correlation = with_e / safe(xp.sqrt(xp.clip(variance, 0, None)) * std[:, e])
        return replace(
            self,
            scene=first,
            share=share,
            weights=weights,
            offset=offset,
            low_mean=low_mean,
            excess=share * mean[:, -1:] + (1 - share) * mean[:, like_pan] - low_mean,
            gain=self.beta * correlation * std[:, e] / safe(xp.mean(std[:, e], axis=1, keepdims=True)),
            likeness=likeness,
        )

    def __call__(self, pair: Pair) -> Array:
        bands = ms_up(pair)
        xp = namespace(bands)
        like_pan = _like_pan(bands, self.scene)
        share = per_band(self.share, bands)
        low = xp.concat([combine(self.weights[:, b], like_pan) for b in range(pair.bands)], axis=1)
        low = low + per_band(self.offset, bands)
        detail = share * pair.pan + (1 - share) * like_pan - low - per_band(self.excess, bands)
        ratio = modulation(bands, low, self.low_mean, guarded(self.guard, pair))
        stability = 1 - xp.abs(1 - per_band(self.likeness, bands) * ratio)
        return bands + per_band(self.gain, bands) * stability * detail


def _like_pan(bands: Array, moments: Moments) -> Array:
    """E with the mean and standard deviation of P, not below 0."""
    source = moments.mean[:, :-1], moments.std[:, :-1]
    return namespace(bands).clip(matched(bands, source, (moments.mean[:, -1:], moments.std[:, -1:])), 0, None)
