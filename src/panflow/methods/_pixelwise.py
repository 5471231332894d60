"""Formulas that several methods share, of single pixels of E, P and a low-pass of P: in strips, or compiled."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from panflow.arrays import is_torch, namespace
from panflow.methods._injection import combine, matched, modulation, per_band
from panflow.ops.banded import BORDERS, Banded
from panflow.ops.resample import columns_up, loops, maps, pointwise
from panflow.types import Array, Pair


def modulated(
    pair: Pair,
    weights: Array,
    source: tuple[Array, Array],
    target: tuple[Array, Array],
    guard: bool,
    haze: Array | None = None,
) -> Array:
    """(E_b - L_b) P' / I + L_b [B, C, H, W], I = sum of weights_b (E_b - L_b), P' = PAN brought from (mean, std)
    `source` to `target`; with haze L [B, C] no E_b - L_b is below 0."""
    if guard and _compiles(pair):
        (mean, std), (level, wanted) = source, target
        gain, typical = wanted / np.where(std > 0, std, 1.0), _one(level)
        hazes = np.zeros_like(weights) if haze is None else haze
        numbers = _all(weights), _all(hazes), haze is not None, _one(mean), _one(gain), typical
        return _run("modulated", pair, [pair.ms], *numbers, np.float32(0.01) * abs(typical))

    def formula(bands: Array, pan: Array) -> Array:
        pan = matched(pan, source, target)
        if haze is None:
            return bands * modulation(pan, combine(weights, bands), target[0], guard)
        least = per_band(haze, bands)
        clear = bands - least
        ratio = modulation(pan, combine(weights, clear), target[0], guard)
        return namespace(bands).clip(clear, 0, None) * ratio + least

    return pointwise(pair, formula, [pair.ms], [pair.pan])


def added(pair: Pair, gain: Array, weights: Array, mean: Array, pan_mean: Array) -> Array:
    """E_b + gain_b ((P - pan_mean) - (I - mean)) [B, C, H, W], I = sum of weights_b E_b; gain [B, C], means [B, 1]."""
    if _compiles(pair):
        return _run("added", pair, [pair.ms], _all(weights), _one(mean), _one(pan_mean), _all(gain))

    def formula(bands: Array, pan: Array) -> Array:
        detail = pan - per_band(pan_mean, bands) - (combine(weights, bands) - per_band(mean, bands))
        return bands + per_band(gain, bands) * detail

    return pointwise(pair, formula, [pair.ms], [pair.pan])


def pyramid(pair: Pair, gain: Array, low: Array) -> Array:
    """E_b + gain_b (P - P_L,b) [B, C, H, W]; low: P_L on the MS grid [B, C, h, w]."""
    if _compiles(pair):
        return _run("pyramid", pair, [pair.ms, low], _all(gain))

    def formula(bands: Array, low: Array, pan: Array) -> Array:
        return bands + per_band(gain, bands) * (pan - low)

    return pointwise(pair, formula, [pair.ms, low], [pair.pan])


def _compiles(pair: Pair) -> bool:
    """Whether the compiled loops are there and serve the pair: a single one, in float32."""
    if loops() is None or is_torch(pair.pan):
        return False
    return pair.pan.dtype == pair.ms.dtype == np.float32 and len(pair.pan) == 1


def _all(values: np.ndarray) -> np.ndarray:
    """[1, C] as [C] in float32."""
    return values[0].astype(np.float32)


def _one(value: np.ndarray) -> np.float32:
    """[1, 1] as a number."""
    return np.float32(value[0, 0])


def _run(name: str, pair: Pair, coarse: Sequence[np.ndarray], *numbers: Any) -> np.ndarray:
    """A compiled loop over images on the MS grid and PAN, [1, C, H, W]."""
    rows = {phase: maps(pair, phase)[0] for phase in dict.fromkeys(pair.phase)}
    group = np.array([list(rows).index(phase) for phase in pair.phase])
    beyond, low, weights = _by_fours(tuple(rows.values()))
    wide = [columns_up(image.astype(np.float64), pair)[0] for image in coarse]
    if any(beyond):
        source = np.pad(np.arange(pair.ms_size[0]), beyond, mode=BORDERS[next(iter(rows.values())).border])
        wide = [image.take(source, -2) for image in wide]
    out = np.empty((1, pair.bands, *pair.size), np.float32)
    getattr(loops(), name)(*wide, group, low, weights, pair.pan[0, 0], *numbers, out[0])
    return out


@lru_cache(maxsize=64)
def _by_fours(rows: tuple[Banded, ...]) -> tuple[tuple[int, int], np.ndarray, np.ndarray]:
    """Maps of one axis, to compute four outputs at once: how many inputs are wanted beyond either end, and for every
    map and four outputs the first input [maps, n] of those with weights [maps, n, span, 4], span a multiple of 4.

    Output i = 4 q + r is sum_t w_i[t] x[start_i + t]. With l_q = min_r start_i it is also sum_s W_q[s, r] x[l_q + s],
    W_q[start_i - l_q + t, r] = w_i[t]: the four read the same `span` inputs.
    """
    outputs = len(rows[0].weights)
    size = rows[0].size
    taps = max(row.weights.shape[1] for row in rows)
    first = np.stack([np.pad(row.start, (0, -outputs % 4), mode="edge") for row in rows]).reshape(len(rows), -1, 4)
    span = int((first.max(2) - first.min(2)).max()) + taps
    span += -span % 4
    before = max(0, -int(first.min()))
    after = max(0, int(first.max()) + taps - size, span - size - before)
    low = np.minimum(first.min(2), size + after - span)
    weights = np.zeros((*low.shape, span, 4))
    for m, row in enumerate(rows):
        for i, (start, taken) in enumerate(zip(row.start, row.weights)):
            offset = start - low[m, i // 4]
            weights[m, i // 4, offset : offset + len(taken), i % 4] = taken
    return (before, after), low + before, weights
