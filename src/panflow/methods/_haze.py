"""Haze of MS bands, as BT-H and MTF-GLP-HPM-H remove it [lolli2017]."""

import numpy as np

from panflow.arrays import like
from panflow.ops.moments import sample
from panflow.types import Array, Pair


class Haze:
    """Gathers values of E pair by pair; `value` is their haze L [B, C].

    For blue, green, red, NIR the sensor's factors times the 1st percentile of E_b, else the minimum.
    """

    def __init__(self) -> None:
        self.values: list[list[np.ndarray]] = []
        self.factors: tuple[float, ...] = ()

    def add(self, bands: Array, pair: Pair) -> None:
        self.values.append(sample(bands, pair))
        self.factors = pair.sensor.haze

    def value(self, reference: Array) -> Array:
        joined = [np.concatenate(parts, axis=-1) for parts in zip(*self.values)]
        return like(np.stack([self._of(v) if v.size else np.zeros(len(v)) for v in joined]), reference)

    def _of(self, values: np.ndarray) -> np.ndarray:
        if len(self.factors) != len(values):
            return values.min(axis=1)
        return np.array(self.factors) * np.quantile(values, 0.01, axis=1, method="hazen")
