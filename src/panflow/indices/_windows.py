"""Sums over sliding windows, margins, and the correlation within windows."""

from panflow.arrays import namespace
from panflow.types import Array


def _slice(image: Array, start: int, end: int, axis: int) -> Array:
    return image[..., start:end] if axis == -1 else image[..., start:end, :]


def _run(image: Array, size: int, axis: int) -> Array:
    """Sums of `size` consecutive samples along an axis, by doubling.

    Every sum is made of few additions, so nothing accumulates along the image, and a constant run
    of a power of two sums exactly: its variance is exactly zero.
    """
    length = image.shape[axis] - size + 1
    total, start, width, doubled = None, 0, 1, image
    while True:
        if size & width:
            part = _slice(doubled, start, start + length, axis)
            total = part if total is None else total + part
            start += width
        if 2 * width > size:
            return total
        n = doubled.shape[axis]
        doubled = _slice(doubled, 0, n - width, axis) + _slice(doubled, width, n, axis)
        width *= 2


def window_sum(image: Array, size: tuple[int, int]) -> Array:
    """Sums over all windows of `size` that lie inside: [..., H, W] to [..., H - rows + 1, W - columns + 1]."""
    return _run(_run(image, size[0], -2), size[1], -1)


def margin(image: Array, top: int, bottom: int, left: int, right: int, value: float = 0.0) -> Array:
    """The image [..., H, W] with a margin of one value around it."""
    xp = namespace(image)
    height, width = image.shape[-2:]
    shape = (*image.shape[:-2], height + top + bottom, width + left + right)
    framed = xp.full(shape, value, dtype=image.dtype, device=image.device)
    framed[..., top : top + height, left : left + width] = image
    return framed


def local_correlation(a: Array, b: Array, half: int, valid: Array | None = None) -> Array:
    """The correlation of a and b [..., H, W] around every pixel, in windows of 2 half x 2 half [scarpa2022].

    A window reaches from half - 1 pixels before a pixel to half after it. Outside the image there are zeros,
    which count; invalid pixels do not. Every pixel loses the mean of its window before the products are
    summed; where a window is flat the correlation is 0.
    """
    xp = namespace(a)
    size = (2 * half, 2 * half)

    def around(image: Array) -> Array:
        return window_sum(margin(image, half - 1, half, half - 1, half), size)

    count: Array | float = float(4 * half * half)
    if valid is not None:
        keep = xp.astype(valid, a.dtype)
        count = xp.clip(count - around(1 - keep), 1, None)
        a, b = a * keep, b * keep
    a, b = a - around(a) / count, b - around(b) / count
    if valid is not None:
        a, b = a * keep, b * keep
    # two roots, since the product of two floors is nothing in float32
    power = xp.sqrt(xp.clip(around(a * a), 1e-20, None)) * xp.sqrt(xp.clip(around(b * b), 1e-20, None))
    return xp.clip(around(a * b) / (power + 1e-20), -1, 1)
