"""Means over the pixels that count."""

from typing import NamedTuple

from panflow.arrays import namespace
from panflow.types import Array


class Sums(NamedTuple):
    """Weighted values added up cell by cell of an image: total and weight, [cells, B, ...], either broadcasting.

    Cells of several tiles are concatenated, so that the mean of a scene is exact however it was cut, and cells can
    be drawn again for a bootstrap.
    """

    total: Array
    weight: Array

    @property
    def mean(self) -> Array:
        """Over all cells, [B, ...]; nan where nothing counts."""
        xp = namespace(self.total)
        return ratio(xp.sum(self.total, axis=0), xp.sum(self.weight, axis=0), float("nan"))


def sums(values: Array, weight: Array | None, cell: int, unit: float) -> Sums:
    """Of values [B, ..., H, W] in cells of `cell` x `cell`, in float64; weight (of any type) broadcasts.

    unit: what a value weighs where there is no weight.
    """
    xp = namespace(values)
    if weight is not None:
        weight = xp.astype(weight, values.dtype, copy=False)
        values = values * weight
    at = cells(values.shape, cell)

    def add(image: Array) -> Array:
        return xp.stack([xp.sum(image[one], axis=(-2, -1), dtype=xp.float64) for one in at])

    total = add(values)
    if weight is not None:
        return Sums(total, add(weight))
    first = values[(0,) * (values.ndim - 2)]
    counts = [first[one].shape[0] * first[one].shape[1] for one in at]
    weight = xp.asarray(counts, dtype=xp.float64, device=values.device)
    return Sums(unit * total, xp.reshape(unit * weight, (len(at),) + (1,) * (values.ndim - 2)))


def cells(shape: tuple[int, ...], cell: int) -> list[tuple]:
    """The indices of the cells of `cell` x `cell` of arrays [..., H, W], row by row."""
    rows, columns = (range(0, max(n, 1), cell) for n in shape[-2:])
    return [(..., slice(top, top + cell), slice(left, left + cell)) for top in rows for left in columns]


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
