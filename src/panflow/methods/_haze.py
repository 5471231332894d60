"""Haze of MS bands, as BT-H and MTF-GLP-HPM-H remove it [lolli2017]."""

import numpy as np

from panflow.arrays import like, namespace
from panflow.ops.moments import pan_core, sample
from panflow.types import Array, Pair


class Haze:
    """Gathers E pair by pair, in any order and from any thread; `value` is the haze L [B, C].

    For blue, green, red, NIR the sensor's factors times the 1st percentile of E_b (of a regular sample where tiles
    are large), else the minimum.
    """

    def __init__(self) -> None:
        self.values: list[list[np.ndarray]] = []
        self.least: list[Array] = []
        self.factors: tuple[float, ...] = ()

    def add(self, bands: Array, pair: Pair) -> None:
        self.factors = pair.sensor.haze
        if len(self.factors) == pair.bands:
            self.values.append(sample(bands, pair))
            return
        xp = namespace(bands)
        core = (..., *pan_core(pair))
        image = bands[core]
        if pair.pan_valid is not None:
            image = xp.where(pair.pan_valid[core], image, xp.full_like(image, float("inf")))
        self.least.append(xp.min(image, axis=(2, 3)))

    def value(self, reference: Array) -> Array:
        """In the reference's kind and type; 0 where no pixel is valid."""
        if self.least:
            xp = namespace(reference)
            least = xp.astype(xp.min(xp.stack(self.least), axis=0), reference.dtype)
            return xp.where(xp.isfinite(least), least, xp.zeros_like(least))
        joined = [np.concatenate(parts, axis=-1) for parts in zip(*self.values)]
        low = [np.quantile(v, 0.01, axis=1, method="hazen") if v.size else np.zeros(len(v)) for v in joined]
        return like(np.array(self.factors) * np.stack(low), reference)
