"""How PAN and the bands agree where registration has put them: what a verdict on a pair rests on.

PAN, seen through the MTF of MS and sampled as it, is compared with the bands in cells of the MS grid: pixels against
their cell's mean (detail), and cells against each other (level). One mix of the bands for the whole scene explains both
where the two images show one place in one light, in proportion to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf, nan

import numpy as np

from panflow.arrays import to_numpy
from panflow.ops import kernels
from panflow.ops.mtf_estimation import Cells, octaves
from panflow.ops.resample import decimate, ms_aligned
from panflow.types import Array, Pair

FEWEST = 8  # cells of which something can be said
VISIBLE = 400, 700  # nm


@dataclass(frozen=True)
class Agreement:
    """Shares of 1; nan where there is too little to be seen.

    detail, level: of PAN's variance that one mix of the bands explains, within cells and over all pixels; bent: of the
    variance that the mix leaves, what a curve over it explains; weights: of the mix, by band; finest: power in the
    finest octave of the MS grid, beside that of the next; repeated: of MS pixels that equal their neighbour in all
    bands; pan_at_limit, ms_at_limit: of pixels that lie at the highest value there is; misplaced: by how much a band
    beyond the visible correlates better with visible bands than one of these does; injectability: of every band's
    variance within cells, what PAN's explains.
    """

    detail: float = nan
    level: float = nan
    bent: float = nan
    weights: tuple[float, ...] = ()
    finest: float = nan
    repeated: float = nan
    pan_at_limit: float = 0.0
    ms_at_limit: float = 0.0
    misplaced: float = nan
    injectability: tuple[float, ...] = ()


@dataclass(frozen=True)
class _Seen:
    """Of a window: cells of PAN [k, n] and of the bands [k, C, n], and which pixels count [k, n]; the bands' power in
    both octaves [2, C]; of PAN's and MS's pixels the highest value, how many have it, of how many; share of repeats."""

    pan: np.ndarray
    bands: np.ndarray
    count: np.ndarray
    power: np.ndarray
    pan_top: tuple[float, int, int]
    ms_top: tuple[float, int, int]
    repeated: float


def agreement(windows: Sequence[Pair], *, each: Callable[..., Iterable] = map) -> Agreement:
    """Of registered windows of a scene (batch 1); each: what maps a function over them, in order."""
    seen: list[_Seen] = list(each(_see, windows))
    pan_at_limit, ms_at_limit = (_at_limit([getattr(s, name) for s in seen]) for name in ("pan_top", "ms_top"))
    if sum(len(s.pan) for s in seen) < FEWEST:
        return Agreement(pan_at_limit=pan_at_limit, ms_at_limit=ms_at_limit)
    pan, bands, count = (np.concatenate([getattr(s, name) for s in seen]) for name in ("pan", "bands", "count"))
    structure, mix = (_within(image, count) for image in (pan[:, None], bands))
    detail, *_ = _fit(structure[:, 0], mix)
    level, weights, fitted, left = _fit(pan[count], bands.swapaxes(1, 2)[count])
    power = np.sum([s.power for s in seen], axis=0)
    return Agreement(
        detail,
        level,
        _bent(fitted, left),
        tuple(float(w) for w in weights),
        float(np.median(power[0] / np.maximum(power[1], 1e-300))),
        float(np.mean([s.repeated for s in seen])),
        pan_at_limit,
        ms_at_limit,
        _misplaced(mix, np.array([band.wavelength for band in windows[0].sensor.bands])),
        tuple(_fit(band, structure)[0] for band in mix.T),
    )


def _see(pair: Pair) -> _Seen:
    cells = Cells(pair)
    filter = kernels.mtf(float(np.mean(pair.sensor.gains)), pair.ratio, 1e-3)
    low = decimate(pair.pan, filter, pair.ratio, pair.common_phase, pair.ms_size)
    power = np.stack([(cells(octave) ** 2).sum(axis=(0, 2)) for octave in octaves(pair.ms)])
    return _Seen(
        cells(low)[:, 0],
        cells(ms_aligned(pair)),
        cells(np.ones((1, 1, *pair.ms_size)))[:, 0] > 0,
        power,
        _top(pair.pan, pair.pan_valid),
        _top(pair.ms, pair.ms_valid),
        _repeated(pair),
    )


def _within(image: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Pixels [n, C] that count, of cells [k, C, m], without their cell's mean."""
    mean = image.sum(axis=2) / count.sum(axis=1)[:, None]
    return (image - mean[..., None]).swapaxes(1, 2)[count]


def _fit(image: np.ndarray, bands: np.ndarray) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """The share of an image's [n] variance that a mix of the bands [n, C] explains, the mix, its image, the rest."""
    image, bands = image - image.mean(), bands - bands.mean(axis=0)
    scale = np.maximum(bands.std(axis=0), 1e-300)
    weights = np.linalg.lstsq(bands / scale, image, rcond=1e-6)[0] / scale
    fitted = bands @ weights
    power = float(image @ image)
    return float(1 - ((image - fitted) ** 2).sum() / power) if power > 0 else nan, weights, fitted, image - fitted


def _bent(fitted: np.ndarray, left: np.ndarray) -> float:
    """The share of what a fit leaves that a cubic curve of the fitted image explains."""
    t = fitted / max(float(fitted.std()), 1e-300)
    return _fit(left, np.stack([t, t**2, t**3], axis=1))[0]


def _top(image: Array, valid: Array | None) -> tuple[float, int, int]:
    """The highest value, in how many pixels any band has it, of how many valid ones."""
    planes = to_numpy(image)[0]
    there = np.ones(planes.shape[1:], bool) if valid is None else to_numpy(valid)[0, 0]
    if not there.any():
        return -inf, 0, 0
    top = float(planes[:, there].max())
    return top, int((planes == top).any(axis=0)[there].sum()), int(there.sum())


def _at_limit(tops: list[tuple[float, int, int]]) -> float:
    """The share of pixels at the highest value of all windows."""
    highest = max((top for top, _, _ in tops), default=-inf)
    return sum(n for top, n, _ in tops if top == highest) / max(sum(n for _, _, n in tops), 1)


def _repeated(pair: Pair) -> float:
    """The share of valid MS pixels that equal the one before them in all bands, along rows or columns, whichever is
    less."""
    ms = to_numpy(pair.ms)[0]
    valid = np.ones(ms.shape[1:], bool) if pair.ms_valid is None else to_numpy(pair.ms_valid)[0, 0]
    shares = []
    for axis in (0, 1):
        counts = np.take(valid, range(1, valid.shape[axis]), axis)
        same = (np.diff(ms, axis=axis + 1) == 0).all(axis=0)
        shares.append(float(same[counts].mean()) if counts.any() else 0.0)
    return min(shares)


def _misplaced(mix: np.ndarray, wavelengths: np.ndarray) -> float:
    visible = (wavelengths > VISIBLE[0]) & (wavelengths < VISIBLE[1])
    if visible.sum() < 2 or visible.all() or np.isnan(wavelengths).any():
        return nan
    with np.errstate(invalid="ignore"):
        alike = np.nan_to_num(np.corrcoef(mix.T))[:, visible]
    others = (alike[visible].sum(axis=1) - 1) / (visible.sum() - 1)
    return float(alike[~visible].mean(axis=1).max() - others.min())
