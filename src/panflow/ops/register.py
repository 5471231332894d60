"""Where MS really lies on the PAN grid, measured to a tenth of a PAN pixel.

PAN, blurred by the sensor's MTF and sampled at MS positions, is a linear mix of the bands where the position is
right [vivone2021]. So the offset is the one at which a regression of PAN on the bands explains most. It is
searched on whole pixels, refined by Gauss-Newton steps that let the regression also use PAN's two gradients, and
measured in many windows of a scene: their agreement is the confidence. All in NumPy.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import map_coordinates, spline_filter, uniform_filter

from panflow.arrays import to_numpy
from panflow.ops import kernels
from panflow.ops.resample import lowpass
from panflow.types import YX, Pair

SEARCH = 4  # PAN pixels, in every direction
SMOOTH = 15  # MS pixels of the local mean that is removed: offsets show in structure, not in brightness
MARGIN = 6  # MS pixels at a window's border that filters have not fully seen
AGREE = 0.35  # PAN pixels within which a window agrees with the consensus
CONFIDENT = 0.5
BLOCK = 24  # MS pixels of the blocks in which a band has its own relation to PAN
MINIMUM = 256  # MS pixels that a window must offer


@dataclass(frozen=True)
class Registration:
    """shift (rows, columns) in PAN pixels, to add to the phase of MS; confidence 0..1; r2 at the nominal position
    and at the shifted one; band_shifts: for every band, its own displacement beyond `shift` (0 where not sure)."""

    shift: YX = (0.0, 0.0)
    confidence: float = 0.0
    r2_before: float = float("nan")
    r2_after: float = float("nan")
    band_shifts: tuple[YX, ...] = ()
    windows: int = 0

    @property
    def confident(self) -> bool:
        return self.confidence >= CONFIDENT

    def phases(self, phase: tuple[YX, ...]) -> tuple[YX, ...]:
        """The corrected phase of every band."""
        bands = self.band_shifts or ((0.0, 0.0),) * len(phase)
        return tuple((y + self.shift[0] + by, x + self.shift[1] + bx) for (y, x), (by, bx) in zip(phase, bands))


class _Window:
    """A pair prepared for comparison: structure of MS [n, C] and of PAN at any offset [n], valid pixels only."""

    def __init__(self, pair: Pair):
        pan = to_numpy(pair.pan)[0, 0].astype(np.float64)
        ms = to_numpy(pair.ms)[0].astype(np.float64)
        size, ratio = pair.ms_size, pair.ratio
        valid = np.ones(size, bool) if pair.ms_valid is None else to_numpy(pair.ms_valid)[0, 0].copy()
        pan_valid = np.ones(pan.shape, bool) if pair.pan_valid is None else to_numpy(pair.pan_valid)[0, 0]
        position = [p + np.arange(n) * r for p, n, r in zip(pair.common_phase, size, ratio)]
        inside = [(x >= SEARCH) & (x <= n - 1 - SEARCH) for x, n in zip(position, pan.shape)]
        valid &= inside[0][:, None] & inside[1][None, :]
        rows, columns = (np.clip(np.round(x).astype(int), 0, n - 1) for x, n in zip(position, pan.shape))
        valid &= pan_valid[np.ix_(rows, columns)]
        margin = MARGIN if min(size) > 8 * MARGIN else 2
        seen = uniform_filter(valid.astype(np.float64), 2 * margin + 1) > 0.999  # nodata's fill enters no comparison
        seen[:margin], seen[-margin:], seen[:, :margin], seen[:, -margin:] = False, False, False, False
        self.usable = int(seen.sum()) >= MINIMUM
        if not self.usable:
            return
        self._gradients: dict[tuple, np.ndarray] = {}
        smooth = lowpass(pan, kernels.mtf(float(np.mean(pair.sensor.gains)), ratio, 1e-5))
        where = [grid[seen] for grid in np.meshgrid(*position, indexing="ij")]
        self.position = np.stack(where)
        low, high = np.quantile(map_coordinates(smooth, self.position, order=1), [0.005, 0.995])
        self.pan_structure = _structure(np.clip(smooth, low, high), pan_valid, [SMOOTH * r for r in ratio])
        self.spline = spline_filter(self.pan_structure, order=3)
        low, high = np.quantile(ms[:, seen], [0.005, 0.995], axis=1)[..., None, None]
        flat = np.clip(ms, low, high)  # clouds and glints, far above the rest, must not rule the regression
        self.bands = np.stack([_structure(band, valid, [SMOOTH] * 2)[seen] for band in flat], axis=1)
        self.bands = self.bands - self.bands.mean(axis=0)
        u, scale, _ = np.linalg.svd(self.bands, full_matrices=False)
        self.basis = u[:, scale > 1e-8 * scale[0]] if scale[0] > 0 else u[:, :0]
        blocks = (np.arange(size[0]) // BLOCK)[:, None] * 10000 + (np.arange(size[1]) // BLOCK)[None, :]
        self.block = np.unique(blocks[seen], return_inverse=True)[1]
        self.usable = self.basis.shape[1] > 0 and float(self.pan_structure.std()) > 0

    def pan(self, offset: np.ndarray, exact: bool = True) -> np.ndarray:
        """PAN's structure where the MS pixels lie when they are moved by an offset (rows, columns), [n]."""
        at = self.position + np.asarray(offset)[:, None]
        if exact:
            found = map_coordinates(self.spline, at, order=3, prefilter=False, mode="nearest")
        else:
            found = map_coordinates(self.pan_structure, at, order=1, mode="nearest")
        return found - found.mean()

    def r2(self, pan: np.ndarray) -> float:
        """Share of PAN's structure that the bands explain."""
        energy = float(pan @ pan)
        return float(np.sum((self.basis.T @ pan) ** 2)) / energy if energy > 0 else 0.0

    def gradients(self, offset: np.ndarray) -> np.ndarray:
        """PAN's derivatives along rows and columns at MS positions, [n, 2]; within a quarter pixel of the offset."""
        near = tuple(np.round(offset * 4) / 4)
        if near not in self._gradients:
            steps = np.eye(2) / 2
            self._gradients[near] = np.stack([self.pan(near + u) - self.pan(near - u) for u in steps], axis=1)
        return self._gradients[near]

    def refine(self, offset: np.ndarray, steps: int = 4) -> np.ndarray | None:
        """The offset of this window alone, from a start within a pixel; None where it runs away."""
        start = offset
        for _ in range(steps):
            design = np.concatenate([self.bands, -self.gradients(offset)], axis=1)
            scale = np.sqrt(np.mean(design**2, axis=0))
            scale[scale == 0] = 1
            move = (np.linalg.lstsq(design / scale, self.pan(offset), rcond=1e-8)[0] / scale)[-2:]
            offset = offset + np.clip(move, -1, 1)
            if np.abs(offset - start).max() > 2.5:
                return None
            if np.abs(move).max() < 0.01:
                break
        return offset

    def refine_band(self, band: int, offset: np.ndarray, steps: int = 8) -> tuple[np.ndarray | None, float]:
        """The same for one band, which follows PAN by its own gain in every block; and how well it follows."""
        start, target, count = offset, self.bands[:, band], self.block.max() + 1

        def mean(values: np.ndarray) -> np.ndarray:
            return (np.bincount(self.block, values, count) / np.bincount(self.block, minlength=count))[self.block]

        target = target - mean(target)
        explained = 0.0
        for _ in range(steps):
            pan = self.pan(offset)
            pan = pan - mean(pan)
            gain = mean(pan * target) / np.maximum(mean(pan * pan), 1e-12)
            residual = target - gain * pan
            explained = 1 - float(residual @ residual) / max(float(target @ target), 1e-12)
            slopes = self.gradients(offset)
            slopes = gain[:, None] * (slopes - np.stack([mean(s) for s in slopes.T], axis=1))
            move = np.linalg.lstsq(slopes, residual, rcond=1e-8)[0]
            offset = offset + np.clip(move, -1, 1)
            if np.abs(offset - start).max() > 2:
                return None, explained
            if np.abs(move).max() < 0.01:
                break
        return offset, explained


def register(windows: Iterable[Pair], *, per_band: bool = True) -> Registration:
    """The offset of MS against PAN, from windows of a scene (one pair, batch 1, for a whole image)."""
    prepared = [w for w in map(_Window, windows) if w.usable]
    if not prepared:
        return Registration()
    offsets = [np.array([y, x], float) for y in range(-SEARCH, SEARCH + 1) for x in range(-SEARCH, SEARCH + 1)]
    surface = np.array([[w.r2(w.pan(o, exact=False)) for o in offsets] for w in prepared])
    weight = surface.max(axis=1) ** 2  # windows in which PAN and bands have little in common say little
    if weight.sum() <= 0:
        return Registration(windows=len(prepared))
    start = offsets[int(np.argmax(weight @ surface))]
    found = [(w, o) for w, o in ((w, w.refine(start)) for w in prepared) if o is not None]
    nominal = float(weight @ np.array([w.r2(w.pan(np.zeros(2))) for w in prepared]) / weight.sum())
    if not found:
        return Registration(r2_before=nominal, r2_after=nominal, windows=len(prepared))
    kept = [w for w, _ in found]
    own = np.array([w.r2(w.pan(o)) for w, o in found])
    shift = _weighted_median(np.array([o for _, o in found]), own**2)
    agree = (np.abs(np.array([o for _, o in found]) - shift).max(axis=1) < AGREE) @ own**2 / max(np.sum(own**2), 1e-12)
    after = float(np.average([w.r2(w.pan(shift)) for w in kept], weights=np.maximum(own**2, 1e-12)))
    confidence = float(agree * len(found) / len(prepared) * np.clip(after / 0.6, 0, 1))
    if np.abs(shift).max() > SEARCH + 0.5 or after < nominal - 1e-3:
        confidence = 0.0
    result = Registration((float(shift[0]), float(shift[1])), confidence, nominal, after, windows=len(prepared))
    return replace(result, band_shifts=_band_shifts(kept, shift)) if per_band and result.confident else result


def _band_shifts(windows: list[_Window], shift: np.ndarray) -> tuple[YX, ...]:
    """Every band's displacement against the consensus, where at least four windows agree on more than a quarter of a pixel."""
    shifts = []
    for band in range(windows[0].bands.shape[1]):
        found = [w.refine_band(band, shift) for w in windows]
        sure = [(o - shift, r2) for o, r2 in found if o is not None and r2 > 0.4]
        if len(sure) < max(4, len(windows) / 2):
            shifts.append((0.0, 0.0))
            continue
        moves, weights = np.array([m for m, _ in sure]), np.array([r2 for _, r2 in sure])
        move = _weighted_median(moves, weights)
        spread = float(_weighted_median(np.abs(moves - move), weights).max())
        small = np.abs(move).max() < 0.25 or spread > max(0.15, 0.3 * np.abs(move).max())
        shifts.append((0.0, 0.0) if small else (float(move[0]), float(move[1])))
    return tuple(shifts)


def _structure(image: np.ndarray, valid: np.ndarray, size: list[float]) -> np.ndarray:
    """The image minus its local mean over valid pixels."""
    known = valid.astype(np.float64)
    width = [max(3, round(s)) for s in size]
    return image - uniform_filter(image * known, width) / np.maximum(uniform_filter(known, width), 1e-6)


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Per column of [n, 2]."""
    result = []
    for column in values.T:
        order = np.argsort(column)
        cumulative = np.cumsum(weights[order])
        middle = cumulative[-1] / 2
        at = np.interp(middle, cumulative - weights[order] / 2, column[order])
        result.append(at)
    return np.array(result)
