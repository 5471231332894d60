"""Every band and PAN stretched from its smallest and largest value to 0 and 1."""

import numpy as np

from panflow.transforms._fitted import Fitted, Gatherer, spread
from panflow.types import Array, Sensor


class Range:
    """Smallest and largest value, [K, 2]."""

    def __init__(self) -> None:
        self.ranges: list[np.ndarray] = []

    def add(self, values: np.ndarray) -> None:
        self.ranges.append(np.stack([values.min(axis=1), values.max(axis=1)], axis=1))

    def result(self) -> np.ndarray:
        low, high = np.moveaxis(np.stack(self.ranges).astype(np.float64), -1, 0)
        return np.stack([low.min(axis=0), high.max(axis=0)], axis=1)


class Transform(Fitted):
    """y = (x - low) / (high - low) for every band, low and high over valid pixels; the unit is high - low.

    A constant band becomes 0. fit: "scene", "train" or "sensor".
    """

    def gatherer(self) -> Gatherer:
        return Range()

    def unit_of(self, ms: np.ndarray, sensor: Sensor) -> np.ndarray:
        return ms[:, 1] - ms[:, 0]

    def _bounds(self, x: Array, kind: str) -> tuple[Array, Array]:
        table = self.table(kind)
        low = table[..., 0]
        width = table[..., 1] - low
        return spread(low, x), spread(np.where(width == 0, 1.0, width), x)

    def ms(self, x: Array) -> Array:
        low, width = self._bounds(x, "ms")
        return (x - low) / width

    def pan(self, x: Array) -> Array:
        low, width = self._bounds(x, "pan")
        return (x - low) / width

    def inverse_ms(self, y: Array) -> Array:
        low, width = self._bounds(y, "ms")
        return y * width + low
