"""First and second moments of image planes, gathered pair by pair and merged, so that a scene is fitted once.

Everything is counted in float64, over a pair's core (without the context borrowed around it) and over valid
pixels only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import ceil
from typing import TypeVar

import numpy as np

from panflow.arrays import namespace, to_numpy
from panflow.types import Array, Pair

T = TypeVar("T")
STRIP = 64  # rows that are counted at once
LEAST = 0.05  # share of PAN's variance that what gains are divided by has at least
SAMPLE = 65536  # values of a plane that a tile of a large scene gives to a quantile


@dataclass(frozen=True)
class Moments:
    """count [B], mean [B, K] and comoment [B, K, K] (sums of products of deviations) of K planes."""

    count: Array
    mean: Array
    comoment: Array

    @property
    def cov(self) -> Array:
        """Covariance with n - 1, [B, K, K]."""
        xp = namespace(self.count)
        return self.comoment / xp.clip(self.count - 1, 1, None)[:, None, None]

    @property
    def second(self) -> Array:
        """Mean products without removing the mean, [B, K, K]."""
        xp = namespace(self.count)
        n = xp.clip(self.count, 1, None)[:, None, None]
        return self.comoment / n + self.mean[:, :, None] * self.mean[:, None, :]

    @property
    def std(self) -> Array:
        xp = namespace(self.count)
        return xp.sqrt(xp.linalg.diagonal(self.cov))

    def merge(self, other: Moments) -> Moments:
        """The moments of both sets of pixels together."""
        xp = namespace(self.count)
        count = self.count + other.count
        share = (other.count / xp.clip(count, 1, None))[:, None]
        delta = other.mean - self.mean
        weight = (self.count[:, None] * share)[:, :, None]
        comoment = self.comoment + other.comoment + delta[:, :, None] * delta[:, None, :] * weight
        return Moments(count, self.mean + delta * share, comoment)


def bounding(variance: Array, of_pan: Array) -> Array:
    """A variance for gains to be divided by: an intensity or a low-pass that has next to nothing in common with PAN, as
    where PAN is noise, would make gains without bound, so it counts as a share of PAN's at least."""
    return namespace(variance).maximum(variance, LEAST * of_pan)


def mixed(moments: Moments, weights: Array) -> Moments:
    """Of a weighted sum of the first planes, and of the last: [B, C] and C + 1 planes give 2."""
    xp = namespace(weights)
    zero, one = xp.zeros_like(weights), xp.ones_like(weights[:, :1])
    mix = xp.stack([xp.concat([weights, 0 * one], axis=1), xp.concat([zero, one], axis=1)], axis=1)
    return Moments(moments.count, (mix @ moments.mean[:, :, None])[:, :, 0], mix @ moments.comoment @ mix.mT)


def measure(planes: Array, valid: Array | None = None) -> Moments:
    """Moments of planes [B, K, H, W] over the pixels where valid [B, 1, H, W] is true."""
    height, total = planes.shape[-2], None
    for top in range(0, max(1, height), STRIP):
        rows = slice(top, top + STRIP)
        part = _measure(planes[..., rows, :], None if valid is None else valid[..., rows, :])
        total = part if total is None else total.merge(part)
    assert total is not None
    return total


def _measure(planes: Array, valid: Array | None) -> Moments:
    """Of a strip of rows, which stays in the processor's cache."""
    xp = namespace(planes)
    batch, k, height, width = planes.shape
    x = xp.reshape(xp.astype(planes, xp.float64), (batch, k, height * width))
    if valid is None:
        count = xp.full((batch,), float(height * width), dtype=xp.float64)
        mean = xp.mean(x, axis=-1) if height * width else xp.zeros((batch, k), dtype=xp.float64)
        centred = x - mean[:, :, None]
        return Moments(xp.asarray(count, device=planes.device), mean, centred @ centred.mT)
    weight = xp.astype(xp.reshape(valid, (batch, 1, height * width)), xp.float64)
    count = xp.sum(weight, axis=(1, 2))
    mean = xp.sum(x * weight, axis=-1) / xp.clip(count, 1, None)[:, None]
    centred = (x - mean[:, :, None]) * weight
    return Moments(count, mean, centred @ centred.mT)


def pan_core(pair: Pair) -> tuple[slice, slice]:
    """The pair's core on the PAN grid."""
    if pair.core is None:
        return slice(None), slice(None)
    top, bottom, left, right = pair.core
    return slice(top, bottom), slice(left, right)


def ms_core(pair: Pair) -> tuple[slice, slice]:
    """The MS pixels whose centre lies in the pair's core: every one belongs to one tile."""
    if pair.core is None:
        return slice(None), slice(None)

    def inside(low: int, high: int, phase: float, ratio: float, size: int) -> slice:
        first, end = (min(size, max(0, ceil((edge - 0.5 - phase) / ratio))) for edge in (low, high))
        return slice(first, end)

    (py, px), (ry, rx), (h, w) = pair.common_phase, pair.ratio, pair.ms_size
    top, bottom, left, right = pair.core
    return inside(top, bottom, py, ry, h), inside(left, right, px, rx, w)


def at_pan(planes: Callable[[Pair], Array]) -> Callable[[Pair], Moments]:
    """Moments of the planes [B, K, H, W] that a function computes of a pair, over its core at PAN scale."""
    return lambda pair: _measure_core(planes(pair), pan_core(pair), pair.pan_valid)


def at_ms(planes: Callable[[Pair], Array]) -> Callable[[Pair], Moments]:
    """Moments of the planes [B, K, h, w] that a function computes of a pair, over its core at MS scale."""
    return lambda pair: _measure_core(planes(pair), ms_core(pair), pair.ms_valid)


def _measure_core(planes: Array, core: tuple[slice, slice], valid: Array | None) -> Moments:
    return measure(planes[(..., *core)], None if valid is None else valid[(..., *core)])


def each(scene: Iterable[Pair], function: Callable[[Pair], T]) -> Iterable[T]:
    """A function of every pair in order. A scene may offer `each(function)`, which computes it by several threads."""
    by_threads = getattr(scene, "each", None)
    return by_threads(function) if by_threads else map(function, scene)


def total(scene: Iterable[Pair], *measures: Callable[[Pair], Moments]) -> tuple[Moments, ...]:
    """Each measure's moments over a whole scene, in one pass through its pairs."""
    merged: tuple[Moments, ...] = ()
    for parts in each(scene, lambda pair: tuple(measure(pair) for measure in measures)):
        merged = tuple(a.merge(b) for a, b in zip(merged, parts)) if merged else parts
    if not merged:
        raise ValueError("a scene has at least one pair")
    return merged


def sample(planes: Array, pair: Pair) -> list[np.ndarray]:
    """Values [K, n] of planes at PAN scale, one array a batch member: all of an image, a regular sample of a tile."""
    rows, columns = pan_core(pair)
    values = to_numpy(planes[..., rows, columns])
    batch, k = values.shape[:2]
    valid = None if pair.pan_valid is None else to_numpy(pair.pan_valid[..., rows, columns])
    samples = []
    for b in range(batch):
        flat = values[b].reshape(k, -1)
        if valid is not None:
            flat = flat[:, valid[b].reshape(-1)]
        stride = 1 if pair.core is None else max(1, flat.shape[1] // SAMPLE)
        samples.append(flat[:, ::stride])
    return samples
