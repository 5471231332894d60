"""Linear maps along one image axis, as banded matrices applied in dense blocks.

Interpolation, filtering and decimation at any phase are all of this kind: each output is a weighted sum of a
run of neighbouring inputs. In blocks of some dozens of outputs that is a small matrix product, which is the
fastest thing that both NumPy and torch can do.
"""

from collections.abc import Callable
from functools import cached_property, wraps

import numpy as np

from panflow.arrays import is_torch, like, namespace
from panflow.types import Array

BORDERS = {"edge": "edge", "symmetric": "symmetric", "wrap": "wrap"}  # as numpy.pad names them


class Banded:
    """out[i] = sum over k of weights[i, k] * in[start[i] + k]; positions beyond the ends follow `border`.

    weights [n_out, taps], start [n_out] (non-decreasing), size: length of the input axis; border: "edge"
    (replicate), "symmetric" (mirror with the edge sample repeated) or "wrap" (circular).
    """

    def __init__(self, start: np.ndarray, weights: np.ndarray, size: int, border: str):
        self.start, self.weights, self.size, self.border = start, weights, size, border
        self.before = max(0, -int(start.min()))
        self.after = max(0, int(start.max()) + weights.shape[1] - size)
        self._matrices: dict = {}

    @cached_property
    def _source(self) -> np.ndarray | None:
        """Which input sample stands at each position of the padded axis; None where nothing is padded."""
        if not (self.before or self.after):
            return None
        return np.pad(np.arange(self.size), (self.before, self.after), mode=BORDERS[self.border])

    @cached_property
    def _blocks(self) -> list[tuple[int, int, np.ndarray]]:
        """(first input, end of inputs, matrix [inputs, outputs]) of consecutive blocks of outputs."""
        outputs, taps = self.weights.shape
        rate = max(1, outputs) / self.size
        block = int(np.clip(round(taps * rate), 16, 128))
        start = self.start + self.before
        found = []
        for first in range(0, outputs, block):
            rows = np.arange(first, min(first + block, outputs))
            low, high = int(start[rows].min()), int(start[rows].max()) + taps
            matrix = np.zeros((high - low, len(rows)))
            for k in range(taps):
                matrix[start[rows] + k - low, rows - first] += self.weights[rows, k]
            found.append((low, high, matrix))
        return found

    def _typed(self, image: Array) -> list[tuple[int, int, Array]]:
        key = (str(image.dtype), str(getattr(image, "device", "")))
        if key not in self._matrices:
            self._matrices[key] = [(low, high, like(m, image)) for low, high, m in self._blocks]
        return self._matrices[key]

    def apply(self, image: Array, axis: int) -> Array:
        """The map along axis -1 or -2 of an image [..., H, W]."""
        xp = namespace(image)
        if self._source is not None:
            image = xp.take(image, like(self._source, image, xp.int64), axis=image.ndim + axis)
        if axis == -1:
            parts = [image[..., low:high] @ m for low, high, m in self._typed(image)]
        else:
            parts = [m.mT @ image[..., low:high, :] for low, high, m in self._typed(image)]
        return parts[0] if len(parts) == 1 else xp.concat(parts, axis=axis)


def in_double(function: Callable[..., Array]) -> Callable[..., Array]:
    """A map of an image that NumPy computes in float64 and gives in the image's own type.

    So the last bit of a pixel, and with it what it is rounded to, does not depend on the tile that it is computed in;
    the order of additions in a matrix product does. torch computes in the type that it is given.
    """

    @wraps(function)
    def mapped(image: Array, *args, **kwargs) -> Array:
        if is_torch(image):
            return function(image, *args, **kwargs)
        return function(image.astype(np.float64, copy=False), *args, **kwargs).astype(image.dtype, copy=False)

    return mapped


@in_double
def apply_terms(image: Array, terms: list[tuple[Banded, Banded]]) -> Array:
    """The sum over separable terms (along rows' axis, along columns' axis) of an image [..., H, W]."""
    total = None
    for rows, columns in terms:
        # the map that shortens most goes first
        if rows.weights.shape[0] * columns.size <= columns.weights.shape[0] * rows.size:
            part = columns.apply(rows.apply(image, -2), -1)
        else:
            part = rows.apply(columns.apply(image, -1), -2)
        total = part if total is None else total + part
    return total
