"""Every band and PAN with mean 0 and standard deviation 1."""

from functools import reduce

import numpy as np

from panflow.ops.moments import Moments, measure
from panflow.transforms._fitted import Fitted, Gatherer, spread
from panflow.types import Array, Sensor


class MeanStd:
    """Mean and standard deviation, [K, 2]."""

    def __init__(self) -> None:
        self.moments: list[Moments] = []

    def add(self, values: np.ndarray) -> None:
        self.moments.append(measure(values[None, :, None, :]))

    def result(self) -> np.ndarray:
        total = reduce(Moments.merge, self.moments)
        return np.stack([total.mean[0], total.std[0]], axis=1)


class Transform(Fitted):
    """y = (x - mean) / std for every band, over valid pixels; the unit is std.

    A constant band becomes 0. fit: "scene", "train" or "sensor".
    """

    def gatherer(self) -> Gatherer:
        return MeanStd()

    def unit_of(self, ms: np.ndarray, sensor: Sensor) -> np.ndarray:
        return ms[:, 1]

    def _moments(self, x: Array, kind: str) -> tuple[Array, Array]:
        mean, std = np.moveaxis(self.table(kind), -1, 0)
        return spread(mean, x), spread(np.where(std == 0, 1.0, std), x)

    def ms(self, x: Array) -> Array:
        mean, std = self._moments(x, "ms")
        return (x - mean) / std

    def pan(self, x: Array) -> Array:
        mean, std = self._moments(x, "pan")
        return (x - mean) / std

    def inverse_ms(self, y: Array) -> Array:
        mean, std = self._moments(y, "ms")
        return y * std + mean
