"""Statistics of a whole scene at MS scale, gathered in one pass, on which networks' inputs rest: tiles then equal the
whole.

With M_b a band, P_b PAN through the band's MTF on the MS grid ("PAN as the band sees it"), and D x = x - low-pass x the
finest detail of an image on that grid:

    correlation       corr(M_b, P_b)
    weights w_b       argmin var(P_b - sum_k w_bk M_k), with a small ridge
    sharpness         mean over b of cov(sum_k w_bk D M_k, D P_b) / var(D P_b)
    fine_gain         cov(D M_b, D P_b) / var(D P_b) * std(P_b) / std(M_b)
    fine_correlation  corr(D M_b, D P_b)
    pan_weights v     argmin var(L P - sum_k v_k L M_k), L = 1 - D, mean over b of what P_b gives
    shares            cov(D M_b, D I) / var(D I) * var(I) / bounding(var(I), mean over b of var(P_b)), I = sum_k v_k M_k

Sharpness is thus the gain with which the finest detail of the scene, as the bands show it, follows the one that PAN
through the nominal MTF shows: 1 where the MTF is right and the truth as sharp as PAN.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from panflow.arrays import namespace
from panflow.ops.kernels import Separable
from panflow.ops.moments import Moments, at_ms, bounding
from panflow.ops.resample import lowpass, sense
from panflow.types import Array, Pair

RIDGE = 1e-4  # of the regression of PAN on the bands, in correlations
ALIKE = 0.5  # correlation of the finest details below which they say nothing of sharpness
LOWPASS = Separable((((0.25, 0.5, 0.25),) * 2,))  # what lies above it is the finest detail of an MS grid


@dataclass(frozen=True)
class Statistics:
    """Each [B, C, 1, 1]: mean and standard deviation of the bands M_b and of P_b, and the formulas above; weights
    [B, C, C]: of the bands M_k (last axis) in the regression of P_b."""

    mean: Array
    std: Array
    pan_mean: Array
    pan_std: Array
    correlation: Array
    sharpness: Array
    fine_gain: Array
    fine_correlation: Array
    pan_weights: Array
    shares: Array
    weights: Array


class Gather:
    """Hands pairs on and counts their moments, so that one pass through a scene serves everybody."""

    def __init__(self, scene: Iterable[Pair]):
        self._scene = iter(scene)
        self._moments: Moments | None = None

    def __iter__(self) -> Iterator[Pair]:
        for pair in self._scene:
            moments = at_ms(_planes)(pair)
            self._moments = moments if self._moments is None else self._moments.merge(moments)
            yield pair

    def finish(self) -> Statistics:
        """The statistics of all pairs, those that nobody has iterated over included."""
        for _ in self:
            pass
        if self._moments is None:
            raise ValueError("a scene has at least one pair")
        return statistics_of(self._moments)


def statistics_of(moments: Moments) -> Statistics:
    """The formulas above from the moments of `_planes`. A constant plane correlates with nothing and has gain 0."""
    xp = namespace(moments.mean)
    diagonal = xp.linalg.diagonal
    c = moments.mean.shape[1] // 4
    ms, pan, fine_ms, fine_pan = (slice(k * c, (k + 1) * c) for k in range(4))

    mean = moments.mean
    std = moments.std
    cov = moments.cov
    divisor = xp.where(std > 0, std, xp.full_like(std, float("inf")))
    correlation = cov / divisor[:, :, None] / divisor[:, None, :]

    weights = _regressed(correlation[:, ms, ms], correlation[:, pan, ms])  # of bands in standard deviations
    weights = weights * std[:, pan, None] / divisor[:, None, ms]

    common = diagonal(weights @ cov[:, fine_ms, fine_pan])  # cov(sum_k w_bk D M_k, D P_b)
    power = diagonal(weights @ cov[:, fine_ms, fine_ms] @ weights.mT)  # var(sum_k w_bk D M_k)
    alike = common > ALIKE * xp.sqrt(power) * std[:, fine_pan]
    sharpness = xp.where(alike, common / divisor[:, fine_pan] ** 2, xp.ones_like(common))
    sharpness = xp.broadcast_to(xp.mean(sharpness, axis=1, keepdims=True), common.shape)

    fine_gain = diagonal(cov[:, fine_ms, fine_pan]) / divisor[:, fine_pan] ** 2
    fine_gain = fine_gain * std[:, pan] / divisor[:, ms]

    smooth = cov[:, : 2 * c, : 2 * c] + cov[:, 2 * c :, 2 * c :] - cov[:, 2 * c :, : 2 * c] - cov[:, : 2 * c, 2 * c :]
    deviation = xp.sqrt(diagonal(smooth))
    scale = xp.where(deviation > 0, deviation, xp.full_like(deviation, float("inf")))[:, :, None]
    smooth = smooth / scale / scale.mT
    mix = _regressed(smooth[:, ms, ms], smooth[:, pan, ms]) * deviation[:, pan, None] / scale[:, ms].mT
    mix = xp.mean(mix, axis=1)[:, :, None]
    with_mix = cov[:, fine_ms, fine_ms] @ mix  # cov(D M_b, D I)
    of_mix = mix.mT @ with_mix
    shares = with_mix / xp.where(of_mix > 0, of_mix, xp.full_like(of_mix, float("inf")))
    explained = mix.mT @ cov[:, ms, ms] @ mix
    bound = bounding(explained, xp.mean(diagonal(cov[:, pan, pan]), axis=1)[:, None, None])
    shares = shares * (explained / xp.where(bound > 0, bound, xp.ones_like(bound)))  # by 1, but where PAN is noise

    def as_image(values: Array) -> Array:
        return values[:, :, None, None]

    return Statistics(
        mean=as_image(mean[:, ms]),
        std=as_image(std[:, ms]),
        pan_mean=as_image(mean[:, pan]),
        pan_std=as_image(divisor[:, pan]),
        correlation=as_image(diagonal(correlation[:, ms, pan])),
        sharpness=as_image(sharpness),
        fine_gain=as_image(fine_gain),
        fine_correlation=as_image(diagonal(correlation[:, fine_ms, fine_pan])),
        pan_weights=as_image(mix[:, :, 0]),
        shares=as_image(shares[:, :, 0]),
        weights=weights,
    )


def _planes(pair: Pair) -> Array:
    """M_b, P_b, D M_b and D P_b, [B, 4C, h, w]."""
    both = namespace(pair.ms).concat([pair.ms, sense(pair.pan, pair)], axis=1)
    return namespace(both).concat([both, both - lowpass(both, LOWPASS)], axis=1)


def _regressed(bands: Array, cross: Array) -> Array:
    """Weights [B, C, C] of the bands (last axis) that explain P_b, from correlations of the bands and with P_b."""
    xp = namespace(bands)
    ridge = bands + RIDGE * xp.eye(bands.shape[-1], dtype=bands.dtype)
    return xp.linalg.solve(ridge, cross.mT).mT
