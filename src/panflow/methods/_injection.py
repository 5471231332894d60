"""What most classical methods share: details injected into the interpolated bands.

Notation of every file: E = ms_up, P = pan, P_L = a low-pass of PAN, I = an intensity, mixed of the bands.
"""

from collections.abc import Iterable
from math import ceil
from typing import Any

import numpy as np

from panflow.arrays import like, namespace, to_numpy
from panflow.ops.kernels import TAPS
from panflow.ops.moments import Moments, bounding
from panflow.ops.resample import REACH, ms_up
from panflow.types import YX, Array, Pair

FILTER = TAPS // 2  # radius of the MTF filters, PAN pixels


class _Unfitted:
    """A class, so that copies and pickles of it are the same."""


UNFITTED: Any = _Unfitted  # what `fit` will set


def interpolation_halo(ratio: YX) -> int:
    """What interpolating MS needs around a tile."""
    return ceil(REACH * max(ratio)) + 1


def pyramid_halo(ratio: YX) -> int:
    """What a low-pass PAN that is decimated and interpolated back needs."""
    return interpolation_halo(ratio) + FILTER + ceil(max(ratio))


def per_band(values: Array, reference: Array) -> Array:
    """[B, C] as [B, C, 1, 1] in the reference's type."""
    xp = namespace(reference)
    return xp.astype(values, reference.dtype, copy=False)[:, :, None, None]


def combine(weights: Array, bands: Array) -> Array:
    """The weighted sum of bands: [B, C] and [B, C, H, W] to [B, 1, H, W]."""
    xp = namespace(bands)
    return xp.sum(per_band(weights, bands) * bands, axis=1, keepdims=True)


def matched(pan: Array, source: tuple[Array, Array], target: tuple[Array, Array]) -> Array:
    """PAN brought from (mean, std) of a source to those of a target, each [B, C]: [B, C, H, W]."""
    (mean, std), (wanted_mean, wanted_std) = source, target
    xp = namespace(std)
    gain = wanted_std / xp.where(std > 0, std, xp.ones_like(std))
    return per_band(gain, pan) * (pan - per_band(mean, pan)) + per_band(wanted_mean, pan)


def safe(denominator: Array) -> Array:
    """A denominator [B, K] of a gain, with zeros (a constant band) replaced so that the gain becomes 0."""
    xp = namespace(denominator)
    return xp.where(xp.abs(denominator) > 0, denominator, xp.full_like(denominator, float("inf")))


def modulation(numerator: Array, denominator: Array, typical: Array, guard: bool) -> Array:
    """numerator / denominator, [B, K, H, W]; with `guard`, 1 where the denominator is below a hundredth of its
    typical value [B, K], and never outside 0 to 10. Without, eps is added as the toolbox does."""
    xp = namespace(numerator)
    if not guard:
        return numerator / (denominator + 2.220446049250313e-16)
    usable = denominator > 0.01 * per_band(xp.abs(typical), denominator)
    one = like(1.0, denominator)
    return xp.where(usable, xp.clip(numerator / xp.where(usable, denominator, one), 0, 10), one)


def solve(matrix: Array, right: Array) -> Array:
    """Least-squares weights [B, C] of normal equations [B, C, C], [B, C]; constant bands get weight 0."""
    xp = namespace(matrix)
    scale = xp.sqrt(xp.linalg.diagonal(matrix))
    scale = xp.where(scale > 0, scale, xp.ones_like(scale))
    normal = matrix / scale[:, :, None] / scale[:, None, :]
    return (xp.linalg.pinv(normal, rtol=1e-13) @ (right / scale)[:, :, None])[:, :, 0] / scale


def solve_nonnegative(matrix: Array, right: Array) -> Array:
    """Least-squares weights [B, C], none below 0, of normal equations [B, C, C], [B, C]: the exact optimum."""
    return like(np.stack([_nonnegative(*member) for member in zip(to_numpy(matrix), to_numpy(right))]), right)


def _nonnegative(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """|A x - b| = |R x - R^-T A'b| + const with A'A = R'R; R from the eigenvectors of the scaled A'A."""
    from scipy.optimize import nnls  # takes long to import, and few methods need it

    scale = np.sqrt(np.diagonal(matrix))
    scale = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(matrix / np.outer(scale, scale))
    kept = values > 1e-14  # a vanishing direction explains nothing
    root = np.sqrt(values[kept])
    vectors = vectors[:, kept]
    if not kept.any():
        return np.zeros_like(right)
    return nnls(root[:, None] * vectors.T, vectors.T @ (right / scale) / root)[0] / scale


def intensity_moments(moments: Moments, weights: Array) -> tuple[Array, Array, Array]:
    """Of I = sum w_b E_b, E the first C planes: mean [B, 1], std [B, 1] and covariance with each band [B, C]."""
    xp = namespace(weights)
    c = weights.shape[1]
    covariance = (moments.cov[:, :c, :c] @ weights[:, :, None])[:, :, 0]
    variance = xp.sum(weights * covariance, axis=1, keepdims=True)
    mean = xp.sum(weights * moments.mean[:, :c], axis=1, keepdims=True)
    return mean, xp.sqrt(xp.clip(variance, 0, None)), covariance


def with_pan(pair: Pair, *more: Array) -> Array:
    """E, further planes and P as one image [B, C + ... + 1, H, W], for moments."""
    return namespace(pair.pan).concat([ms_up(pair), *more, pair.pan], axis=1)


def pan_matched(pair: Pair, moments: Moments, image: Array, source: int = -1) -> Array:
    """An image on PAN's scale of counts brought to the mean and standard deviation of each band, [B, C, H, W].

    moments: of E first and P last; the spread is that of plane `source`, which may be a low-pass of PAN.
    """
    std = moments.std
    bands = pair.bands
    target = moments.mean[:, :bands], std[:, :bands]
    spread = std[:, source, None]
    if not pair.toolbox:
        spread = bounding(spread**2, std[:, -1:] ** 2) ** 0.5
    return matched(image, (moments.mean[:, -1:], spread), target)


def guarded(guard: bool | None, pair: Pair) -> bool:
    """Whether a method's guard is on: as asked, else for all pairs but the toolbox's."""
    return not pair.toolbox if guard is None else guard


def reread(scene: Iterable[Pair]) -> Iterable[Pair]:
    """A scene that can be passed through more than once: itself, or all its pairs where it is an iterator."""
    return list(scene) if iter(scene) is scene else scene
