"""The MTF gain of the MS bands at their Nyquist frequency, estimated from a pair itself.

Semiblind deconvolution looks for the blur under which PAN is explained best by the bands [vivone2015]; here it is one
of the family that sensors are described by (`kernels.mtf`), so that the search has one dimension. Let P_g be PAN
filtered with gain g and sampled where a band lies, and M the linear mix of the bands that fits P_g. In each octave of
the MS grid's frequencies, M has a regression slope on P_g,

    s(g) = cov(M, P_g) / var(P_g).

What bands and PAN see of the ground, and noise in the bands, make all octaves' slopes differ from 1 alike; the wrong
gain makes them differ from each other, the finest most: it falls with g. The estimate is the gain at which the finest
octave's slope is that of the next. Slopes are sums over small cells of a scene, which count the less, the more than
usual the fit leaves of them: clouds, movers and saturated roofs say little [huber1964].
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from panflow.arrays import namespace, to_numpy
from panflow.ops import kernels
from panflow.ops.kernels import TAPS, Separable
from panflow.ops.resample import decimate, lowpass, ms_aligned
from panflow.types import Array, Pair

LOWEST, HIGHEST = 0.02, 0.99  # gains that are looked for; the highest is no blur at all
NODES = 8  # gains at which PAN is filtered; between them images are interpolated (1 % of a filter's taps at most)
CELL = 8  # MS pixels
FINE = 1  # passes of (1, 2, 1)/4 that part the finest octave of the MS grid
MIDDLE = 4  # passes of it that part the next octave, and about as many pixels that they reach
ROUNDS = 4  # of weighing the cells
GROUPS = 8  # of cells, for the standard error
RIDGE = 0.05  # of the mix, in correlations: bands alike share what PAN shows of them
SPREAD = 0.1  # standard deviation of the logarithm of gains over a sensor's bands, as published tables have it
PRECISE = 0.05  # standard error of the gain at which confidence is one half
COHERENT = 0.25  # share of the finest octave that PAN has to explain for full confidence
CONFIDENT = 0.5


@dataclass(frozen=True)
class MTFEstimate:
    """gains: of every band at MS's Nyquist frequency; gain: their common value; error: its standard error;
    coherence: share of the bands' finest octave that PAN explains; confidence 0..1 (0: nothing to be seen)."""

    gains: tuple[float, ...] = ()
    gain: float = float("nan")
    error: float = float("inf")
    coherence: float = 0.0
    confidence: float = 0.0

    @property
    def confident(self) -> bool:
        return self.confidence >= CONFIDENT


def _nodes() -> np.ndarray:
    """Chebyshev points."""
    return (HIGHEST + LOWEST) / 2 - (HIGHEST - LOWEST) / 2 * np.cos(np.pi * (np.arange(NODES) + 0.5) / NODES)


def _between(gains: np.ndarray) -> np.ndarray:
    """Weights [n, NODES] of the nodes' images in those of other gains (Lagrange)."""
    nodes = _nodes()
    others = [np.delete(nodes, k) for k in range(NODES)]
    return np.stack([np.prod((gains[:, None] - o) / (nodes[k] - o), axis=1) for k, o in enumerate(others)], axis=1)


GRID = np.geomspace(LOWEST, HIGHEST, 200)
WEIGHTS = _between(GRID)


@dataclass(frozen=True)
class Products:
    """Sums over cells [n, ...], in the two finest octaves (first axis beyond the cells, the finest first).

    bands [n, 2, C, C]: products of the bands, brought together; cross [n, 2, C, NODES]: of each band with PAN as it
    sees it at the nodes' gains; pan [n, 2, C, NODES, NODES]: of PAN with itself (once where all bands lie alike).
    """

    bands: np.ndarray
    cross: np.ndarray
    pan: np.ndarray

    @staticmethod
    def joined(parts: Iterable[Products]) -> Products:
        columns = list(zip(*((p.bands, p.cross, p.pan) for p in parts)))
        return Products(*(np.concatenate(column) for column in columns))

    def weighted(self, weight: np.ndarray) -> Products:
        """The sums of all cells, as one, under weights [k, n]: [k, ...]."""
        return Products(*(np.tensordot(weight, x, 1) for x in (self.bands, self.cross, self.pan)))


def products(pair: Pair) -> Products:
    """Of one window (batch 1), from the pixels that neither border nor nodata has touched."""
    nodes = [float(g) for g in _nodes()]

    def see(pan: Array, phase: tuple) -> Array:
        seen = [decimate(pan, kernels.mtf(g, pair.ratio, 1e-3), pair.ratio, phase, pair.ms_size) for g in nodes]
        return namespace(pan).concat(seen, axis=1)

    phases = list(dict.fromkeys(pair.phase))
    of_band = [phases.index(phase) for phase in pair.phase]
    cells = Cells(pair)
    aligned = [cells(octave) for octave in octaves(ms_aligned(pair))]
    delivered = aligned if len(phases) == 1 else [cells(octave) for octave in octaves(pair.ms)]
    seen = [[cells(octave) for octave in octaves(see(pair.pan, phase))] for phase in phases]
    bands = np.stack([x @ x.swapaxes(1, 2) for x in aligned], axis=1)
    cross = np.stack(
        [
            np.stack([np.einsum("np,nkp->nk", delivered[o][:, b], seen[p][o]) for b, p in enumerate(of_band)], axis=1)
            for o in range(2)
        ],
        axis=1,
    )
    power = [np.stack([x @ x.swapaxes(1, 2) for x in octaves], axis=1) for octaves in seen]
    return Products(bands, cross, np.stack(power if len(phases) == 1 else [power[p] for p in of_band], axis=2))


def octaves(image: Array) -> tuple[Array, Array]:
    """The finest octave of the MS grid's frequencies, and the next."""
    fine, middle = lowpass(image, _binomial(FINE)), lowpass(image, _binomial(MIDDLE))
    return image - fine, fine - middle


def _binomial(passes: int) -> Separable:
    taps = np.ones(1)
    for _ in range(passes):
        taps = np.convolve(taps, (0.25, 0.5, 0.25))
    return Separable(((tuple(taps),) * 2,))


class Cells:
    """Cuts images on the MS grid [1, K, h, w] into cells [n, K, CELL * CELL], pixels that do not count set to 0."""

    def __init__(self, pair: Pair):
        self.valid = _clear(pair)
        rows, columns = (np.arange(0, n - CELL + 1, CELL) for n in self.valid.shape)
        # what is left over at the end is shared with the beginning
        top, left = ((n - len(k) * CELL) // 2 for n, k in zip(self.valid.shape, (rows, columns)))
        self.corners = [(top + r, left + c) for r in rows for c in columns]
        self.corners = [(r, c) for r, c in self.corners if self.valid[r : r + CELL, c : c + CELL].mean() > 0.5]

    def __call__(self, image: Array) -> np.ndarray:
        values = np.where(self.valid, to_numpy(image)[0].astype(np.float64), 0.0)
        cut = [values[:, r : r + CELL, c : c + CELL].reshape(len(values), -1) for r, c in self.corners]
        return np.stack(cut) if cut else np.zeros((0, len(values), CELL * CELL))


def _clear(pair: Pair) -> np.ndarray:
    """MS pixels [h, w] whose filters have seen nothing but valid pixels of both images."""
    clear = np.ones(pair.ms_size, bool) if pair.ms_valid is None else to_numpy(pair.ms_valid)[0, 0].copy()
    for axis in (0, 1):
        reach = TAPS // 2 / pair.ratio[axis] + MIDDLE
        first = pair.common_phase[axis] / pair.ratio[axis]  # MS pixels from PAN's edge to the first centre
        last = pair.size[axis] / pair.ratio[axis] - first - 1
        place = np.arange(pair.ms_size[axis])
        far = (place + first >= reach) & (place <= last - reach)
        clear &= (far & (place >= MIDDLE) & (place < pair.ms_size[axis] - MIDDLE)).reshape(
            (-1, 1) if axis == 0 else (1, -1)
        )
    if pair.pan_valid is not None:
        valid = namespace(pair.pan).astype(pair.pan_valid, pair.pan.dtype)
        share = decimate(valid, kernels.mtf(0.1, pair.ratio, 1e-2), pair.ratio, pair.common_phase, pair.ms_size)
        clear &= to_numpy(share)[0, 0] > 0.995
    if not clear.all():
        size = 2 * MIDDLE + 1
        share = lowpass(clear[None, None].astype(float), Separable((((1 / size,) * size,) * 2,)))[0, 0]
        inner = share > 1 - 0.5 / size**2
        clear = clear & inner if pair.ms_valid is not None or pair.pan_valid is not None else clear
    return clear


def estimate_mtf(windows: Iterable[Pair], *, each: Callable[..., Iterable] = map) -> MTFEstimate:
    """The bands' gains, from registered windows of a scene (one pair, batch 1, for a whole image), NumPy or torch.

    each: what maps a function over the windows, in order: `map`, or that of a pool of threads.
    """
    parts = [p for p in each(products, windows) if len(p.bands)]
    if not parts:
        return MTFEstimate()
    cells = Products.joined(parts)
    textured = np.einsum("ncc->n", cells.bands[:, 1]) * cells.pan[:, 1, 0, 0, 0] > 0
    cells = Products(cells.bands[textured], cells.cross[textured], cells.pan[textured])
    count = len(cells.bands)
    if count < GROUPS:
        return MTFEstimate()
    weight = np.ones(count)
    for _ in range(ROUNDS):
        left = _Fit(cells.weighted(weight[None])).left(cells)
        weight = np.median(left) / np.maximum(left, np.median(left))
    fit = _Fit(cells.weighted(weight[None]))
    group = np.arange(count) % GROUPS
    without = _Fit(cells.weighted(np.stack([np.where(group == k, 0, weight) for k in range(GROUPS)]))).gain
    error = float(np.sqrt((GROUPS - 1) * without.var()))
    coherence = float(fit.coherence[0])
    precise, coherent = 1 / (1 + (error / PRECISE) ** 2), min(1.0, coherence / COHERENT)
    gain = float(fit.gain[0])
    return MTFEstimate(tuple(fit.of_bands()), gain, error, coherence, precise * coherent)


class _Fit:
    """Slopes of sums [k, ...] at every gain of the grid, and where the two octaves' cross."""

    def __init__(self, sums: Products):
        diagonal = np.einsum("kcc->kc", sums.bands[:, 1])
        scale = np.sqrt(np.where(diagonal > 0, diagonal, np.inf))
        normal = sums.bands[:, 1] / scale[:, :, None] / scale[:, None, :] + RIDGE * np.eye(scale.shape[1])
        cross = np.einsum("kocn,gn->kogc", sums.cross, WEIGHTS)
        power = np.maximum(
            np.einsum("kocgm,gm->kogc", np.einsum("kocnm,gn->kocgm", sums.pan, WEIGHTS), WEIGHTS), 1e-300
        )
        power = np.broadcast_to(power, cross.shape)
        right = (cross[:, 1] / scale[:, None]).swapaxes(1, 2)
        self.mix = np.linalg.solve(normal, right).swapaxes(1, 2) / scale[:, None]  # [k, grid, C]
        slopes = cross / power
        mixed = (slopes * self.mix[:, None]).sum(axis=-1)
        self.gain, self.at = _crossing(mixed[:, 0], mixed[:, 1])
        self.sums, self.power, self.slopes, self.cross = sums, power, slopes, cross
        row = np.arange(len(self.at))
        mix = self.mix[row, self.at]
        fused = np.einsum("kc,kcd,kd->k", mix, sums.bands[:, 0], mix)
        seen = power[row, 0, self.at].mean(axis=-1)
        self.coherence = np.maximum(mixed[row, 0, self.at], 0) ** 2 * seen / np.maximum(fused, 1e-300)

    def left(self, cells: Products) -> np.ndarray:
        """What the first fit leaves of every cell in both octaves, [n]."""
        mix, at = self.mix[0, self.at[0]], WEIGHTS[self.at[0]]
        bands = np.einsum("nocd,c,d->no", cells.bands, mix, mix)
        cross = np.einsum("nocm,c,m->no", cells.cross, mix, at)
        pan = np.einsum("nocml,m,l->noc", cells.pan, at, at).mean(axis=-1)
        # where bands lie apart, those that were brought together and those that meet PAN differ a little
        return np.maximum(bands - 2 * cross + pan, 0.01 * pan).sum(axis=1)

    def of_bands(self) -> list[float]:
        """Each band's gain, drawn to the common one the more, the less of the band's finest octave PAN explains."""
        common = float(self.gain[0])
        gains = []
        for band in range(self.slopes.shape[-1]):
            gain, at = _crossing(self.slopes[:1, 0, :, band], self.slopes[:1, 1, :, band])
            both = self.sums.bands[0, 0, band, band] * self.power[0, 0, at[0], band]
            rho2 = float(np.clip(self.cross[0, 0, at[0], band] ** 2 / max(both, 1e-300), 1e-6, 1))
            share = SPREAD**2 / (SPREAD**2 + (1 - rho2) / rho2)
            gains.append(round(float(common * (gain[0] / common) ** share), 4))
        return gains


def _crossing(fine: np.ndarray, middle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The gain [k] at which a slope [k, grid] falls to another, and its place on the grid; an end where it does not."""
    over = fine - middle
    falls = (over[:, :-1] >= 0) & (over[:, 1:] < 0)
    place = np.where(falls.any(axis=1), falls.argmax(axis=1), np.where(over[:, 0] < 0, 0, len(GRID) - 2))
    row = np.arange(len(place))
    high, low = over[row, place], over[row, place + 1]
    share = np.clip(np.where(high != low, high / np.where(high != low, high - low, 1), 0.5), 0, 1)
    share = np.where(falls.any(axis=1), share, np.where(over[:, 0] < 0, 0.0, 1.0))
    return GRID[place] ** (1 - share) * GRID[place + 1] ** share, place
