"""Images cut into blocks, their moments, and maps of blocks."""

import numpy as np

from panflow.arrays import like, namespace
from panflow.indices._stats import epsilon
from panflow.indices._windows import margin
from panflow.types import Array


def blocks(image: Array, size: int, shift: int) -> Array:
    """Blocks of size x size pixels, one every `shift`: [B, C, H, W] to [B, n, m, C, size * size].

    Where blocks reach over the bottom or right, the image is mirrored there (the edge pixel repeated).
    """
    xp = namespace(image)
    counts = []
    for axis in (-2, -1):
        length = image.shape[axis]
        count = -(-length // shift)
        extra = (count - 1) * shift + size - length
        counts.append(count)
        if extra or shift != size:
            source = np.pad(np.arange(length), (0, max(extra, 0)), mode="symmetric")
            index = source[(np.arange(count) * shift)[:, None] + np.arange(size)].reshape(-1)
            image = xp.take(image, like(index, image, xp.int64), axis=image.ndim + axis)
    batch, bands = image.shape[:2]
    apart = xp.reshape(image, (batch, bands, counts[0], size, counts[1], size))
    return xp.reshape(xp.permute_dims(apart, (0, 2, 4, 1, 3, 5)), (batch, *counts, bands, size * size))


def partial(image: Array, valid: Array | None, size: int) -> tuple[Array, Array | None]:
    """Blocks side by side and which of their pixels count: what a last block lacks does not."""
    xp = namespace(image)
    lacking = [-n % size for n in image.shape[-2:]]
    if valid is None and any(lacking):
        valid = xp.ones((image.shape[0], 1, *image.shape[-2:]), dtype=xp.bool, device=image.device)
    if valid is None:
        return blocks(image, size, size), None
    framed = margin(valid, 0, lacking[0], 0, lacking[1], False)
    return blocks(image, size, size), xp.astype(blocks(framed, size, size), image.dtype)


def moments(values: Array, weight: Array | None) -> tuple[Array, Array, Array]:
    """Of blocks [..., C, n]: mean and variance (n - 1) [..., C], and the deviations [..., C, n].

    weight [..., 1, n] is 1 or 0. A variance that rounding alone makes is set to zero.
    """
    xp = namespace(values)
    count = values.shape[-1] if weight is None else xp.clip(xp.sum(weight, axis=-1), 1, None)
    mean = xp.sum(values if weight is None else values * weight, axis=-1) / count
    deviation = values - mean[..., None]
    if weight is not None:
        deviation = deviation * weight
    variance = xp.sum(deviation * deviation, axis=-1) / degrees(values, weight)
    noise = (16 * epsilon(values) * mean) ** 2
    return mean, xp.where(variance <= noise, xp.zeros_like(variance), variance), deviation


def degrees(values: Array, weight: Array | None) -> Array:
    """The number of pixels that count less one, at least 1: [..., 1], or a number."""
    if weight is None:
        return max(values.shape[-1] - 1, 1)
    xp = namespace(values)
    return xp.clip(xp.sum(weight, axis=-1) - 1, 1, None)


def spread(values: Array, shift: int, size: tuple[int, int]) -> Array:
    """Blocks' values [B, n, m] as a map [B, H, W]: each over the `shift` x `shift` pixels that it begins with."""
    xp = namespace(values)
    wide = xp.repeat(xp.repeat(values, shift, axis=1), shift, axis=2)
    return wide[:, : size[0], : size[1]]


def masked(values: Array, valid: Array | None) -> Array:
    """A map [B, H, W] with nan where valid [B, 1, H, W] is false."""
    if valid is None:
        return values
    xp = namespace(values)
    return xp.where(valid[:, 0], values, xp.full_like(values, float("nan")))
