"""UniPAN: every band and PAN through a quantile map, so that all sensors look alike [unipan]."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Self

import numpy as np
import torch
from torch import Tensor

from panflow.registry import closest
from panflow.transforms._fitted import Fitted, Gatherer
from panflow.transforms.scale import peak
from panflow.types import Pair, Sensor

TARGETS = ("uniform", "normal")
UNITS = ("range", "bits")
TINY = 1e-7  # the normal target ends where the distribution function is this far from 0 and 1
TABLE = 2**16  # integer counts that a look-up table holds at most, as many as sensors write


class Quantiles:
    """The quantiles [K, m] of at most n pixels, drawn without replacement: those with the smallest random keys."""

    def __init__(self, n: int, m: int, seed: int):
        self.n, self.m = n, m
        self.rng = np.random.default_rng(seed)
        self.keys: np.ndarray = np.empty(0)
        self.values: np.ndarray = np.empty((0, 0))

    def add(self, values: np.ndarray) -> None:
        keys = self.rng.random((values.shape[1],))
        keep = keys < self.keys.max() if len(self.keys) == self.n else np.ones(len(keys), dtype=bool)
        keys, values = keys[keep], values[:, keep]
        if self.values.size:
            keys, values = np.append(self.keys, keys), np.concatenate([self.values, values], axis=1)
        smallest = np.argpartition(keys, self.n)[: self.n] if len(keys) > self.n else slice(None)
        self.keys, self.values = keys[smallest], values[:, smallest]

    def result(self) -> np.ndarray:
        rows = np.sort(self.values, axis=1).astype(np.float64)  # much faster than to look for m quantiles
        places = np.arange(rows.shape[1])
        wanted = np.linspace(0, len(places) - 1, self.m)
        quantiles = [np.interp(wanted, places, row) for row in rows]
        return np.maximum.accumulate(quantiles, axis=1)  # rounding must not break the order


def rank(x: Tensor, quantiles: Tensor) -> Tensor:
    """The share of pixels below each value, in [0, 1]: x [B, K, N] by tables [B, K, m], in the tables' type.

    Linear between quantiles; a value on tied quantiles gets the mean of their first and last level (the mean of
    interpolation from the left and from the right, Eq. 8); 0 and 1 at and beyond the ends; NaN stays.
    """
    quantiles = quantiles.contiguous()
    m = quantiles.shape[-1]
    x = x.to(quantiles.dtype).contiguous()
    first = torch.searchsorted(quantiles, x, right=False).clamp_max(m - 1)  # the first quantile >= x
    above = quantiles.gather(-1, first)
    tied = torch.searchsorted(quantiles, quantiles, right=True) - 1  # the last quantile that equals each
    last = torch.where(above == x, tied.gather(-1, first), (first - 1).clamp_min(0))  # the last quantile <= x
    below = quantiles.gather(-1, last)
    step = (x - below) / torch.where(first > last, above - below, torch.ones_like(x))
    between = last + step * (first - last)
    levels = torch.where(first > last, between, (first + last) / 2) / (m - 1)
    levels = levels.masked_fill(x >= quantiles[..., -1:], 1.0).masked_fill(x <= quantiles[..., :1], 0.0)
    return torch.where(x.isnan(), x, levels)


def value(levels: Tensor, quantiles: Tensor) -> Tensor:
    """The values at levels [B, K, N]: the inverse of `rank`, but for what lay beyond the ends."""
    m = quantiles.shape[-1]
    position = levels.to(quantiles.dtype).clamp(0, 1) * (m - 1)
    low = position.nan_to_num().long().clamp_max(m - 2)
    below, above = quantiles.gather(-1, low), quantiles.gather(-1, low + 1)
    return below + (position - low) * (above - below)


class Transform(Fitted):
    """Quantile maps of MS (per band) and PAN to U(0, 1) or N(0, 1), on any device.

    fit: "scene" (the default: every scene by its quantiles), "train" (the published code: the training set's
    map on whatever comes) or "sensor". n: pixels sampled (with `seed`), m: quantiles, target: "uniform" or
    "normal" (cut at +-5.2). unit: "range" (of every band of MS, from its 5 % to its 95 % quantile) or "bits"
    (2**bits - 1, by which the published code also divides the counts before anything else).
    """

    def __init__(
        self,
        fit: str = "scene",
        n: int = 10_000,
        m: int = 1000,
        seed: int = 42,
        target: str = "uniform",
        unit: str = "range",
    ):
        super().__init__(fit)
        self.n, self.m, self.seed = n, m, seed
        self.target = closest("target", target, TARGETS)
        self.unit_mode = closest("unit", unit, UNITS)

    def gatherer(self) -> Gatherer:
        return Quantiles(self.n, self.m, self.seed)

    def unit_of(self, ms: np.ndarray, sensor: Sensor) -> np.ndarray:
        if self.unit_mode == "bits":
            return np.array([peak(sensor.bits)])
        low, high = np.quantile(ms, (0.05, 0.95), axis=1)  # of the quantiles, hence of the pixels
        return high - low

    def fit(self, scene: Iterable[Pair]) -> Self:
        fitted = super().fit(scene)
        if self.mode == "train" and self.unit_mode == "bits":
            # the published code divides by each sensor's peak before it maps
            share = peak(next(iter(scene)).sensor.bits) / fitted.table("unit")
            for name, table in list(fitted.named_buffers()):
                setattr(fitted, name, table * share)
        return fitted

    def ms(self, x: Tensor) -> Tensor:
        return self._map(x, "ms")

    def pan(self, x: Tensor) -> Tensor:
        return self._map(x, "pan")

    def inverse_ms(self, y: Tensor) -> Tensor:
        table = self.table("ms")
        levels = y.to(table.dtype).flatten(2)
        if self.target == "normal":
            levels = torch.special.ndtr(levels)
            levels = levels.masked_fill(levels <= TINY, 0.0).masked_fill(levels >= 1 - TINY, 1.0)
        return value(levels, _expanded(table, y)).to(y.dtype).unflatten(-1, y.shape[-2:])

    def _exact(self, x: Tensor, table: Tensor, out: torch.dtype) -> Tensor:
        """The map of values [B, K, N]."""
        levels = rank(x, table).to(out)
        if self.target == "uniform":
            return levels
        # from levels already rounded, as scikit-learn does, which works in place
        levels = levels.to(table.dtype)
        end = torch.special.ndtri(torch.full((), 1 - TINY, dtype=table.dtype, device=table.device))
        return torch.special.ndtri(levels).clamp(-end, end).to(out)

    def _map(self, x: Tensor, kind: str) -> Tensor:
        table = self.table(kind)
        flat = x.flatten(2)
        out = x.dtype if x.is_floating_point() else torch.float32
        low, high = math.floor(table.min()), math.ceil(table.max()) + 1  # one count beyond the end stands for all
        counts = high - low + 1
        if counts <= min(TABLE, flat.shape[-1]) and bool((flat == flat.round()).all()):
            every = torch.arange(low, high + 1, dtype=table.dtype, device=table.device)
            levels_of = self._exact(every.expand(*table.shape[:2], -1), table, out)
            levels = _expanded(levels_of, x).gather(-1, flat.clamp(low, high).long() - low)
        else:
            levels = self._exact(flat, _expanded(table, x), out)
        return levels.unflatten(-1, x.shape[-2:])


def _expanded(table: Tensor, image: Tensor) -> Tensor:
    """One table for every member of the image's batch."""
    return table.expand(image.shape[0], -1, -1).contiguous()
