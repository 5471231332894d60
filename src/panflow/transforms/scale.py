"""Counts as a share of the largest that the sensor can write."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Self

import numpy as np

from panflow import types
from panflow.errors import InputError
from panflow.types import Array, Pair


def peak(bits: int) -> float:
    """The largest count of so many bits."""
    return float(2**bits - 1)


class Transform(types.Transform):
    """y = x / (2**bits - 1), MS and PAN alike; `bits` comes from the scene's sensor where it is not given."""

    def __init__(self, bits: int | None = None):
        self.bits = bits
        self.peak = peak(bits or 0)  # no table: the next scene's sensor decides anew

    def fit(self, scene: Iterable[Pair]) -> Self:
        fitted = deepcopy(self)
        if self.bits is None:
            fitted.peak = peak(next(iter(scene)).sensor.bits)
        return fitted

    @property
    def tables(self) -> dict[str, np.ndarray]:
        return {"peak": np.array(self.peak)}

    def with_tables(self, tables: Mapping[str, Array]) -> Self:
        fitted = deepcopy(self)
        fitted.peak = float(tables["peak"])
        return fitted

    def unit(self) -> np.ndarray:
        return np.full((1, 1, 1, 1), self._known_peak(), np.float32)

    def ms(self, x: Array) -> Array:
        return x / self._known_peak()

    def pan(self, x: Array) -> Array:
        return x / self._known_peak()

    def inverse_ms(self, y: Array) -> Array:
        return y * self._known_peak()

    def _known_peak(self) -> float:
        if not self.peak:
            raise InputError("the transform has no bit depth yet: give `bits`, or fit it to a scene")
        return self.peak
