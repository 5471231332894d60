"""Consistency: that a fused image, seen by the MS sensor, is the MS that was measured.

What a fused image lacks of MS is brought to the PAN grid by the least-squares inverse of the sensor, damped: the k-th
step of Landweber's iteration [landweber1951], which on a regular grid is an interpolation. With H the MTF along an
axis, f in cycles per MS pixel, and the power that sampling folds together, a(f) = sum over n of H(f + n)^2, its kernel
has the spectrum

    H(f) (1 - (1 - a(f))^k) / a(f).

Where the optics let much through, k steps restore MS wholly; where next to nothing comes through, MS shows noise and
aliasing, and is amplified by at most 0.64 sqrt(k).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from math import ceil, floor
from typing import Any, Self

import numpy as np

from panflow.arrays import like, namespace, to_numpy
from panflow.ops import kernels
from panflow.ops.banded import Banded, apply_terms
from panflow.ops.fill import fill
from panflow.ops.kernels import TAPS
from panflow.ops.resample import by_band, decimate, precision, sampled_kernel
from panflow.ops.window import grown
from panflow.types import YX, Array, Pair, Sharpener

STEPS = 10  # of Landweber's iteration, which double the residual of an axis at most
PASSES = 2  # the MTF filter is not quite a product of its axes; the second pass takes what the first leaves
REACH = 10  # MS pixels beyond which the kernel is below 1e-4 of its peak, for gains from 0.04 on
SEEN = 0.999  # share of a filter's weight that must lie on valid pixels
_PERIOD, _FINE = 64, 1024  # MS pixels that the kernel's spectrum is sampled for, and samples of the kernel in each


MARGIN = TAPS // 2 + 2  # PAN pixels that `seen` looks at on every side, at any phase


def halo(ratio: YX) -> int:
    """PAN pixels that `consistent` looks at on every side."""
    return PASSES * (MARGIN + ceil((REACH + 1) * max(ratio)))


def seen(image: Array, pair: Pair) -> Array:
    """What MS bands see of an image [B, C, H, W]: MTF filters of unit sum, sampled at every band's phase, [B, C, h, w]
    [scarpa2022]."""

    def see(bands: Array, key: tuple[float, YX]) -> Array:
        return decimate(bands, kernels.unit_mtf(key[0], pair.ratio, precision(image)), pair.ratio, key[1], pair.ms_size)

    return by_band(image, _keys(pair), see)


def consistent(fused: Array, pair: Pair) -> Array:
    """The fused image [B, C, H, W] with what it lacks of MS; MS pixels that see nodata are taken to lack what the
    nearest others do."""
    whole = determined(pair)
    for _ in range(PASSES):
        missing = fill(pair.ms - seen(fused, pair), whole)
        fused = fused + by_band(missing, _keys(pair), partial(_returned, pair=pair))
    return fused


def determined(pair: Pair) -> Array:
    """The MS pixels that are valid, centred in the image and see valid PAN pixels alone, [B, 1, h, w]."""
    inside = []
    for axis in (0, 1):
        position = pair.common_phase[axis] + np.arange(pair.ms_size[axis]) * pair.ratio[axis]
        inside.append((position >= -0.5) & (position <= pair.size[axis] - 0.5))
    xp = namespace(pair.ms)
    there = like((inside[0][:, None] & inside[1][None, :])[None, None], pair.ms, xp.bool)
    if pair.ms_valid is not None:
        there = there & pair.ms_valid
    if pair.pan_valid is not None:
        share = seen(xp.astype(pair.pan_valid, pair.ms.dtype), pair)
        there = there & (xp.min(share, axis=1, keepdims=True) > SEEN)
    return xp.broadcast_to(there, (pair.ms.shape[0], 1, *pair.ms_size))


def lacking(image: Array, pair: Pair) -> np.ndarray:
    """By band, of the determined MS pixels that are centred in the pair's core: how many there are, the sum of squares
    of what the image lacks of them, and the largest of that, [3, C]."""
    core = pair.core or (0, pair.size[0], 0, pair.size[1])
    missing, whole = to_numpy(pair.ms - seen(image, pair))[0], to_numpy(determined(pair))[0, 0]
    columns = []
    for plane, phase in zip(missing, pair.phase):
        inside = []
        for axis in (0, 1):
            low, high = core[2 * axis : 2 * axis + 2]
            nearest = np.floor(phase[axis] + np.arange(pair.ms_size[axis]) * pair.ratio[axis] + 0.5)
            inside.append((nearest >= low) & (nearest < high))
        values = np.abs(plane[whole & inside[0][:, None] & inside[1][None, :]].astype(np.float64))
        columns.append((values.size, (values**2).sum(), values.max(initial=0.0)))
    return np.array(columns).T


@dataclass(frozen=True)
class Consistent(Sharpener):
    """A sharpener whose answers are made consistent with MS, in the core of a pair and so far around it that MS there
    can be compared."""

    inner: Sharpener

    def halo(self, ratio: YX) -> int | None:
        inner, cell = self.inner.halo(ratio), self.inner.cell(ratio)
        return None if inner is None else inner + ceil((halo(ratio) + MARGIN) / cell) * cell

    def fit(self, scene: Iterable[Pair]) -> Self:
        return replace(self, inner=self.inner.fit(scene))

    def __call__(self, pair: Pair) -> Array:
        core = pair.core and grown(pair.core, halo(pair.ratio) + MARGIN, pair.size)
        return consistent(self.inner(replace(pair, core=core)), pair)

    @property
    def state(self) -> dict[str, Any]:
        return self.inner.state

    def with_state(self, state: Mapping[str, Any]) -> Self:
        return replace(self, inner=self.inner.with_state(state))

    @property
    def evaluations(self) -> int:
        return self.inner.evaluations

    @property
    def costly(self) -> bool:
        return self.inner.costly

    @property
    def uses_mtf(self) -> bool:
        return True

    @property
    def intensity(self) -> tuple[str, Array] | None:
        return self.inner.intensity

    @property
    def depends_on_tiles(self) -> bool:
        return self.inner.depends_on_tiles

    def memory(self, bands: int, ratio: YX) -> float:
        return self.inner.memory(bands, ratio)

    def cell(self, ratio: YX) -> int:
        return self.inner.cell(ratio)


def _keys(pair: Pair) -> list[tuple[float, YX]]:
    return list(zip(pair.sensor.gains, pair.phase))


def _returned(missing: Array, key: tuple[float, YX], pair: Pair) -> Array:
    """What bands lack [B, C, h, w], on the PAN grid."""
    rows, columns = (
        _map(key[0], pair.ratio, axis, missing.shape[axis - 2], pair.size[axis], key[1][axis]) for axis in (0, 1)
    )
    return apply_terms(missing, [(rows, columns)])


@lru_cache(maxsize=512)
def _map(gain: float, ratio: YX, axis: int, size: int, outputs: int, phase: float) -> Banded:
    table = _kernel(gain, ratio, axis)

    def kernel(offset: np.ndarray) -> np.ndarray:
        return np.interp(np.abs(offset) * _FINE, np.arange(len(table)), table)

    start, weights = sampled_kernel((np.arange(outputs) - phase) / ratio[axis], kernel, REACH)
    return Banded(start, weights, size, "symmetric")


@cache
def _kernel(gain: float, ratio: YX, axis: int) -> np.ndarray:
    """The kernel at offsets of 0, 1, 2 ... 1024ths of an MS pixel."""
    taps = kernels.unit_mtf(gain, ratio, 1e-10).full().sum(axis=1 - axis)
    n, r = np.arange(len(taps)) - len(taps) // 2, ratio[axis]

    def response(f: np.ndarray) -> np.ndarray:
        """The filter's, which has no image beyond PAN's own Nyquist frequency."""
        return np.where(np.abs(f) <= r / 2, np.cos(2 * np.pi / r * np.outer(f, n)) @ taps, 0)

    frequency = np.arange(_PERIOD * ceil(r / 2) + 1) / _PERIOD
    power = sum(response(frequency % 1 + k) ** 2 for k in range(-floor(r / 2) - 1, floor(r / 2) + 2))
    spectrum = np.zeros(_PERIOD * _FINE // 2 + 1)
    spectrum[: len(frequency)] = response(frequency) * (1 - (1 - power) ** STEPS) / power
    return np.fft.irfft(spectrum)[: (REACH + 2) * _FINE]
