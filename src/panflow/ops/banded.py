"""Linear maps along one image axis, as banded matrices applied in dense blocks.

Interpolation, filtering and decimation at any phase are all of this kind: each output is a weighted sum of a
run of neighbouring inputs. In blocks of some dozens of outputs that is a small matrix product, which is the
fastest thing that both NumPy and torch can do.
"""

from collections.abc import Callable
from functools import cached_property, wraps
from typing import Any

import numpy as np

from panflow.arrays import is_torch, like, namespace
from panflow.types import Array

BORDERS: dict[str, Any] = {"edge": "edge", "symmetric": "symmetric", "wrap": "wrap"}  # as numpy.pad names them


class Banded:
    """out[i] = sum over k of weights[i, k] * in[start[i] + k]; positions beyond the ends follow `border`.

    weights [n_out, taps], start [n_out] (non-decreasing), size: length of the input axis; border: "edge"
    (replicate), "symmetric" (mirror with the edge sample repeated) or "wrap" (circular).
    """

    def __init__(self, start: np.ndarray, weights: np.ndarray, size: int, border: str):
        self.start, self.weights, self.size, self.border = start, weights, size, border
        self._before = max(0, -int(start.min()))
        # outputs of a product: with fewer there are more calls, with more there are more zeros
        self._block = int(np.clip(round(weights.shape[1] * len(weights) / size), 16, 32))
        self._matrices: dict = {}

    @cached_property
    def _source(self) -> np.ndarray:
        """Which input sample stands at each position from the first to the last that is drawn on."""
        after = max(0, int(self.start.max()) + self.weights.shape[1] - self.size)
        return np.pad(np.arange(self.size), (self._before, after), mode=BORDERS[self.border])

    def _matrix(self, first: int, end: int, image: Array) -> tuple[Array | slice, Array]:
        """The inputs, and the matrix [inputs, outputs], of some outputs, in the image's kind and type."""
        key = first, end, image.dtype, image.device
        if key not in self._matrices:
            rows, taps = np.arange(first, end), self.weights.shape[1]
            low, high = int(self.start[rows].min()), int(self.start[rows].max()) + taps
            matrix = np.zeros((high - low, end - first))
            matrix[self.start[rows, None] + np.arange(taps) - low, rows[:, None] - first] = self.weights[rows]
            inputs: Array | slice = slice(low, high)
            if low < 0 or high > self.size:
                source = self._source[low + self._before : high + self._before]
                inputs = like(source, image, namespace(image).int64)
            self._matrices[key] = inputs, like(matrix, image)
        return self._matrices[key]

    def rows(self, image: Array, first: int, end: int) -> Array:
        """Outputs first to end - 1 along axis -2."""
        inputs, matrix = self._matrix(first, end, image)
        return matrix.mT @ image[..., inputs, :]

    def columns(self, image: Array, first: int, end: int) -> Array:
        """Outputs first to end - 1 along axis -1."""
        inputs, matrix = self._matrix(first, end, image)
        return image[..., inputs] @ matrix

    def apply(self, image: Array, axis: int) -> Array:
        """The map along axis -1 or -2 of an image [..., H, W]."""
        some, outputs, step = self.columns if axis == -1 else self.rows, len(self.weights), self._block
        parts = [some(image, first, min(first + step, outputs)) for first in range(0, outputs, step)]
        return parts[0] if len(parts) == 1 else namespace(image).concat(parts, axis=axis)


def in_double(function: Callable[..., Array]) -> Callable[..., Array]:
    """A map of an image that NumPy computes in float64 and gives in the image's type.

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
