"""Means over the pixels that count."""

from panflow.arrays import namespace
from panflow.types import Array


def ratio(numerator: Array, denominator: Array, otherwise: float) -> Array:
    """numerator / denominator, and `otherwise` where the denominator is zero."""
    xp = namespace(denominator)
    usable = denominator != 0
    quotient = numerator / xp.where(usable, denominator, xp.ones_like(denominator))
    return xp.where(usable, quotient, xp.full_like(quotient, otherwise))


def mean(values: Array, weight: Array | None = None) -> Array:
    """The mean over the last two axes, in float64; weight (of any type) broadcasts. nan where all of it is 0."""
    xp = namespace(values)
    if weight is None:
        return xp.sum(values, axis=(-2, -1), dtype=xp.float64) / (values.shape[-2] * values.shape[-1])
    weight = xp.astype(weight, values.dtype, copy=False)
    total = xp.sum(values * weight, axis=(-2, -1), dtype=xp.float64)
    return ratio(total, xp.sum(weight, axis=(-2, -1), dtype=xp.float64), float("nan"))


def epsilon(image: Array) -> float:
    """The spacing of the image's type at 1."""
    return float(namespace(image).finfo(image.dtype).eps)
