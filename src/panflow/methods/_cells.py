"""PAN pixels grouped by the MS pixel whose centre is nearest, at any ratio and phase."""

from dataclasses import dataclass

import numpy as np

from panflow.arrays import like, namespace
from panflow.ops.resample import ms_aligned
from panflow.types import Array, Pair


@dataclass(frozen=True)
class _Axis:
    """pixel [k, R]: the pixels of each cell; inside [k, R]: whether the place holds one, or repeats the last.

    ms [k]: the MS pixel of each cell, the nearest where there is none; cell [n]: the cell of each MS pixel;
    place [N]: where in [k, R], raveled, each PAN pixel stands; distance [k, R]: to the cell's centre, PAN pixels.
    """

    pixel: np.ndarray
    inside: np.ndarray
    ms: np.ndarray
    cell: np.ndarray
    place: np.ndarray
    distance: np.ndarray


def _axis(size: int, ms_size: int, ratio: float, phase: float) -> _Axis:
    # a pixel half way between two centres belongs to the second, whatever the rounding of a tile's phase
    index = np.floor((np.arange(size) - phase) / ratio + 0.5 + 1e-9).astype(int)
    number = np.arange(index[0], index[-1] + 1)
    start = np.searchsorted(index, number)
    count = np.diff(np.append(start, size))
    offset = np.arange(count.max())
    pixel = start[:, None] + np.minimum(offset, count[:, None] - 1)
    return _Axis(
        pixel=pixel,
        inside=offset < count[:, None],
        ms=np.clip(number, 0, ms_size - 1),
        cell=np.clip(np.arange(ms_size) - index[0], 0, len(number) - 1),
        place=(index - index[0]) * len(offset) + np.arange(size) - start[index - index[0]],
        distance=pixel - (phase + ratio * number[:, None]),
    )


class Cells:
    """The cells of a pair: at most R x R pixels each, arrays by cell are [B, ..., R, R, cells down, cells across]."""

    def __init__(self, pair: Pair):
        self.pair = pair
        self.down, self.across = (_axis(*axis) for axis in zip(pair.size, pair.ms_size, pair.ratio, pair.common_phase))

    def pan(self) -> Array:
        """PAN by cell, [B, R, R, k, l]."""
        image = _pick(self.pair.pan[:, 0], self.down.pixel.ravel(), self.across.pixel.ravel())
        image = namespace(image).reshape(image, (image.shape[0], *self.down.pixel.shape, *self.across.pixel.shape))
        return namespace(image).permute_dims(image, (0, 2, 4, 1, 3))

    def inside(self) -> Array | None:
        """1 where a place holds a pixel, 0 where it repeats one, [1, R, R, k, l]; None where all do."""
        inside = self.down.inside.T[:, None, :, None] & self.across.inside.T[None, :, None, :]
        return None if inside.all() else like(inside[None], self.pair.pan)

    def spectra(self) -> Array:
        """The MS pixel of each cell, [B, C, k, l]."""
        return _pick(ms_aligned(self.pair), self.down.ms, self.across.ms)

    def mean(self) -> Array:
        """The mean of PAN over the cell of each MS pixel, [B, 1, h, w]."""
        pan, inside = self.pan(), self.inside()
        xp = namespace(pan)
        if inside is None:
            mean = xp.mean(pan, axis=(1, 2))
        else:
            mean = xp.sum(pan * inside, axis=(1, 2)) / xp.sum(inside, axis=(1, 2))
        return _pick(mean, self.down.cell, self.across.cell)[:, None]

    def join(self, image: Array) -> Array:
        """Bands by cell [B, C, R, R, k, l] as an image [B, C, H, W]."""
        xp = namespace(image)
        batch, bands, rows, columns, k, l = image.shape
        image = xp.reshape(xp.permute_dims(image, (0, 1, 4, 2, 5, 3)), (batch, bands, k * rows, l * columns))
        return _pick(image, self.down.place, self.across.place)


def _pick(image: Array, rows: np.ndarray, columns: np.ndarray) -> Array:
    xp = namespace(image)
    image = xp.take(image, like(rows, image, xp.int64), axis=image.ndim - 2)
    return xp.take(image, like(columns, image, xp.int64), axis=image.ndim - 1)
