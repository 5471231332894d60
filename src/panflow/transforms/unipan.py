"""UniPAN: every band and PAN through a quantile map, so that all sensors look alike [unipan]."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Iterable
from statistics import NormalDist
from typing import Any, Literal, Self

import numpy as np

from panflow.arrays import is_torch, like, namespace
from panflow.registry import closest
from panflow.transforms._fitted import Fitted, Gatherer, floating
from panflow.transforms.scale import peak
from panflow.types import Array, Pair, Sensor

TARGETS = ("uniform", "normal")
UNITS = ("range", "bits")
TINY = 1e-7  # the normal target ends where the distribution function is this far from 0 and 1
END = NormalDist().inv_cdf(1 - TINY)
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


def rank(x: Array, quantiles: Array) -> Array:
    """The share of pixels below each value, in [0, 1]: x [B, K, N] by tables [B, K, m], in the tables' type.

    Linear between quantiles; a value on tied quantiles gets the mean of their first and last level (the mean of
    interpolation from the left and from the right, Eq. 8); 0 and 1 at and beyond the ends; NaN stays.
    """
    xp = namespace(x)
    m = quantiles.shape[-1]
    x = xp.astype(x, quantiles.dtype)
    first = xp.clip(_search(quantiles, x, "left"), None, m - 1)  # the first quantile >= x
    above = _take(quantiles, first)
    tied = _search(quantiles, quantiles, "right") - 1  # the last quantile that equals each
    last = xp.where(above == x, _take(tied, first), xp.clip(first - 1, 0, None))  # the last quantile <= x
    below = _take(quantiles, last)
    one = xp.ones_like(x)
    step = (x - below) / xp.where(first > last, above - below, one)
    between = last + step * (first - last)
    levels = xp.where(first > last, between, (first + last) / 2) / (m - 1)
    levels = xp.where(x >= quantiles[..., -1:], one, levels)
    levels = xp.where(x <= quantiles[..., :1], xp.zeros_like(x), levels)
    return xp.where(xp.isnan(x), x, levels)


def value(levels: Array, quantiles: Array) -> Array:
    """The values at levels [B, K, N]: the inverse of `rank`, but for what lay beyond the ends."""
    xp = namespace(levels)
    m = quantiles.shape[-1]
    position = xp.clip(xp.astype(levels, quantiles.dtype), 0, 1) * (m - 1)
    known = xp.where(xp.isnan(position), xp.zeros_like(position), position)
    low = xp.clip(xp.astype(known, xp.int64), None, m - 2)
    below, above = _take(quantiles, low), _take(quantiles, low + 1)
    return below + (position - low) * (above - below)


def _search(tables: Array, x: Array, side: Literal["left", "right"]) -> Array:
    """Where each x [B, K, N] would be put into its sorted table [B, K, m]."""
    if is_torch(x):
        return sys.modules["torch"].searchsorted(tables.contiguous(), x.contiguous(), side=side)
    rows = [np.searchsorted(row, values, side) for row, values in zip(_rows(tables), _rows(x))]
    return np.reshape(rows, x.shape)


def _take(tables: Array, places: Array) -> Array:
    """The entries of tables [B, K, m] at places [B, K, N]."""
    if is_torch(tables):
        return tables.gather(-1, places)
    return np.reshape([row.take(where) for row, where in zip(_rows(tables), _rows(places))], places.shape)


def _rows(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1, array.shape[-1])


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
            fitted.kept = {name: table * share for name, table in fitted.kept.items()}
        return fitted

    def ms(self, x: Array) -> Array:
        return self._map(x, "ms")

    def pan(self, x: Array) -> Array:
        return self._map(x, "pan")

    def inverse_ms(self, y: Array) -> Array:
        xp = namespace(y)
        table = _expanded(self.table("ms"), y)
        levels = xp.astype(_flat(y), table.dtype)
        if self.target == "normal":
            levels = _special(y).ndtr(levels)
            levels = xp.where(levels <= TINY, xp.zeros_like(levels), levels)
            levels = xp.where(levels >= 1 - TINY, xp.ones_like(levels), levels)
        return xp.reshape(xp.astype(value(levels, table), y.dtype), y.shape)

    def _exact(self, x: Array, table: Array, out: Any) -> Array:
        """The map of values [B, K, N]."""
        xp = namespace(x)
        levels = xp.astype(rank(x, table), out)
        if self.target == "uniform":
            return levels
        # from levels already rounded, as scikit-learn does, which works in place
        return xp.astype(xp.clip(_special(x).ndtri(xp.astype(levels, table.dtype)), -END, END), out)

    def _map(self, x: Array, kind: str) -> Array:
        xp = namespace(x)
        table, flat, out = self.table(kind), _flat(x), floating(x)
        low, high = math.floor(table.min()), math.ceil(table.max()) + 1  # one count beyond the end stands for all
        counts = high - low + 1
        if counts <= min(TABLE, flat.shape[-1]) and bool(xp.all(flat == xp.round(flat))):
            every = like(np.arange(low, high + 1), x, xp.float64)
            levels_of = self._exact(xp.broadcast_to(every, (*table.shape[:2], counts)), _as(table, x), out)
            places = xp.astype(xp.clip(flat, low, high), xp.int64) - low
            levels = _take(xp.broadcast_to(levels_of, (len(x), *levels_of.shape[1:])), places)
        else:
            levels = self._exact(flat, _expanded(table, x), out)
        return xp.reshape(levels, x.shape)


def _flat(image: Array) -> Array:
    return namespace(image).reshape(image, (*image.shape[:2], -1))


def _expanded(table: np.ndarray, image: Array) -> Array:
    """One table for every member of the image's batch, of its kind and in float64."""
    return namespace(image).broadcast_to(_as(table, image), (len(image), *table.shape[1:]))


def _as(table: np.ndarray, image: Array) -> Array:
    return like(table, image, namespace(image).float64)


def _special(array: Array) -> Any:
    """Where the distribution function of the normal distribution and its inverse are."""
    return sys.modules["torch"].special if is_torch(array) else importlib.import_module("scipy.special")
