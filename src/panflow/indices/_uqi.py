"""The universal quality index of two images, 4 cov(a, b) ab / ((var a + var b) (a^2 + b^2)) [wang2002]."""

from panflow.arrays import namespace
from panflow.indices._blocks import degrees, moments, partial
from panflow.indices._stats import ratio
from panflow.types import Array


def quality(covariance: Array, variance: Array, product: Array, squares: Array) -> Array:
    """Q of cov(a, b), var a + var b, ab and a^2 + b^2 (a, b means).

    Two flat windows have 2ab / (a^2 + b^2), and 1 where both are zero.
    """
    xp = namespace(covariance)
    luminance = 2 * ratio(product, squares, 0.5)
    curved = ratio(2 * covariance * luminance, variance, 1.0)
    return xp.where(squares == 0, xp.ones_like(curved), xp.where(variance == 0, luminance, curved))


def block_quality(planes: Array, valid: Array | None, size: int) -> tuple[Array, Array | None]:
    """Q between all planes [B, K, H, W] in blocks side by side: [B, n, m, K, K], and weights [B, n, m] or None.

    A block counts by its valid pixels; the last ones are smaller where the size does not divide the image.
    """
    xp = namespace(planes)
    values, weight = partial(planes, valid, size)
    mean, variance, deviation = moments(values, weight)
    n = degrees(values, weight)
    covariance = deviation @ deviation.mT / (n if weight is None else n[..., None])
    a, b = mean[..., :, None], mean[..., None, :]
    q = quality(covariance, variance[..., :, None] + variance[..., None, :], a * b, a * a + b * b)
    return q, None if weight is None else xp.sum(weight, axis=(-2, -1))
