"""Where MS really lies on the PAN grid, measured to a tenth of a PAN pixel.

PAN, blurred by the sensor's MTF and sampled at MS positions, is a linear mix of the bands where the position is
right [vivone2021]. So the offset is the one at which a regression of PAN on the bands explains most. It is
searched on whole pixels, refined by Gauss-Newton steps that let the regression also use PAN's two gradients, and
measured in many windows of a scene: their agreement is the confidence. Where bands are displaced against each
other, they are brought together first. All in NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from panflow.arrays import to_numpy
from panflow.ops import kernels
from panflow.ops.displacement import displacements
from panflow.ops.displacement_field import DisplacementField, fitted, lattice, parted, polynomial
from panflow.ops.gridded_offsets import FOLDS, Cells, Equations, Offsets, gridded, lattices
from panflow.ops.resample import interpolate, lowpass
from panflow.types import YX, Pair

NEAR = 4  # PAN pixels, in every direction, that are searched first
SEARCH = 16  # PAN pixels that are searched where no offset nearby is sure
SMOOTH = 15  # MS pixels of the local mean that is removed: offsets show in structure, not in brightness
MARGIN = 6  # MS pixels at a window's border that filters have not fully seen
AGREE = 0.5  # PAN pixels within which a window agrees with the consensus
CONFIDENT = 0.5
BAND_WINDOWS = 6  # windows, the best, in which bands are compared with each other
SPARSE = 2  # the search on whole pixels looks at every second MS pixel
MINIMUM = 256  # MS pixels that a window must offer
PARTS = 8  # windows that can tell whether they agree: fewer are cut into quarters, whose sides are at least
SMALLEST = 24  # MS pixels long
ORDERS = 1, 2  # of polynomials that an offset may follow over a scene
LOCAL = 24  # windows that are wanted to fit one, with sides of at least
NARROWEST = 16  # MS pixels
SPACING, NODES = 4, 257  # MS pixels between nodes of a field, unless these were more
STILL = 0.1  # PAN pixels: where windows scatter by less around one offset, no field is looked for
PAYS = 0.03  # of what the bands leave unexplained of PAN, in windows held out, that a field must explain,
PAYS_ASKED = 0.01  # or where it was asked for
DOUBT = 0.5  # that windows agree by chance, each that more agrees halves it
PATCH = 20  # MS pixels of structure that count as one independent observation


@dataclass(frozen=True)
class Registration:
    """shift (rows, columns) in PAN pixels, to add to the phase of MS; confidence 0..1; r2 at the nominal position
    and at the shifted one; band_shifts: the displacement of every band beyond `shift` (0 where not sure); windows:
    in which it was measured; scatter: of their offsets around `shift`, or what `field` makes of it from place to place,
    a median distance in PAN pixels."""

    shift: YX = (0.0, 0.0)
    confidence: float = 0.0
    r2_before: float = float("nan")
    r2_after: float = float("nan")
    band_shifts: tuple[YX, ...] = ()
    windows: int = 0
    scatter: float = float("nan")
    field: DisplacementField | None = None

    @property
    def confident(self) -> bool:
        return self.confidence >= CONFIDENT

    def phases(self, phase: tuple[YX, ...]) -> tuple[YX, ...]:
        """The corrected phase of every band."""
        bands = self.band_shifts or ((0.0, 0.0),) * len(phase)
        return tuple((y + (self.shift[0] + by), x + (self.shift[1] + bx)) for (y, x), (by, bx) in zip(phase, bands))

    def totals(self, bands: int) -> tuple[np.ndarray, tuple[int, ...]]:
        """Offsets [G, 2, n, m] at the nodes of `field` (2 x 2 where there is none), and the group of every band."""
        beyond = self.band_shifts or ((0.0, 0.0),) * bands
        varies = self.field.groups if self.field and self.field.groups else (0,) * bands
        kinds = list(dict.fromkeys(zip(varies, beyond)))
        nodes = self.field.nodes if self.field else np.zeros((1, 2, 2, 2))
        totals = [nodes[group] + np.add(self.shift, own)[:, None, None] for group, own in kinds]
        return np.stack(totals), tuple(kinds.index(kind) for kind in zip(varies, beyond))

    def varying(self, totals: np.ndarray, groups: tuple[int, ...], origin: YX, step: YX) -> Registration:
        """The same with other offsets, as `totals` gives them."""
        constant, field = parted(totals, groups, origin, step)
        each = [constant[group] for group in groups]
        y, x = (float(v) for v in (np.mean(each, axis=0) if len(constant) > 1 else each[0]))
        bands = tuple((a - y, b - x) for a, b in each) if len(constant) > 1 else ()
        return replace(self, shift=(y, x), band_shifts=bands, field=field)


class _Window:
    """A pair prepared for comparison: structure of MS [n, C] and of PAN at any offset [n], valid pixels only."""

    def __init__(self, pair: Pair, search: float, margin: int = MARGIN):
        pan = to_numpy(pair.pan)[0, 0].astype(np.float64)
        ms = to_numpy(pair.ms)[0].astype(np.float64)
        size, ratio = pair.ms_size, pair.ratio
        valid = np.ones(size, bool) if pair.ms_valid is None else to_numpy(pair.ms_valid)[0, 0].copy()
        pan_valid = np.ones(pan.shape, bool) if pair.pan_valid is None else to_numpy(pair.pan_valid)[0, 0]
        position = [p + np.arange(n) * r for p, n, r in zip(pair.common_phase, size, ratio)]
        inside = [(x >= search) & (x <= n - 1 - search) for x, n in zip(position, pan.shape)]
        valid &= inside[0][:, None] & inside[1][None, :]
        rows, columns = (np.clip(np.round(x).astype(int), 0, n - 1) for x, n in zip(position, pan.shape))
        valid &= pan_valid[np.ix_(rows, columns)]
        margin = margin if min(size) > 8 * MARGIN else 2
        seen = _local_mean(valid, [2 * margin + 1] * 2) > 0.999  # nodata's fill enters no comparison
        seen[:margin], seen[-margin:], seen[:, :margin], seen[:, -margin:] = False, False, False, False
        self.usable = int(seen.sum()) >= MINIMUM
        if not self.usable:
            return
        self._gradients: dict[tuple, np.ndarray] = {}
        smooth = lowpass(pan, kernels.mtf(float(np.mean(pair.sensor.gains)), ratio, 1e-2))
        self.position = position
        low, high = np.quantile(smooth[np.ix_(rows, columns)][seen], [0.005, 0.995])
        self.pan_structure = _structure(np.clip(smooth, low, high), pan_valid, [SMOOTH * r for r in ratio])
        low, high = np.quantile(ms[:, seen], [0.005, 0.995], axis=1)[..., None, None]
        flat = np.clip(ms, low, high)  # clouds and glints, far above the rest, must not rule the regression
        self.ratio, self.seen, self._origin = ratio, seen, pair.origin
        self.images = np.stack([_structure(band, valid, [SMOOTH] * 2) for band in flat])
        self.use(self.images)
        self.usable = self.basis.shape[1] > 0 and float(self.pan_structure.std()) > 0

    def use(self, images: np.ndarray) -> None:
        """Compare PAN with these images [C, h, w] of the bands."""
        self._compared = images
        self.bands = images[:, self.seen].T
        self.bands = self.bands - self.bands.mean(axis=0)
        self.basis = _basis(self.bands)

    @property
    def place(self) -> np.ndarray:
        """The middle of what counts, (row, column) on the scene's PAN grid."""
        counts = self.seen.sum(axis=1), self.seen.sum(axis=0)
        return np.array([o + np.average(p, weights=n) for o, p, n in zip(self._origin, self.position, counts)])

    def quarters(self, smallest: int) -> list[_Window]:
        """The same window in four, those that have pixels enough; itself where they would be too small."""
        counted = [np.flatnonzero(self.seen.any(axis=axis)) for axis in (1, 0)]
        middle = [(n[0] + n[-1] + 1) // 2 for n in counted]
        if min(n[-1] + 1 - n[0] for n in counted) < 2 * smallest:
            return [self]
        result = []
        for rows in (slice(None, middle[0]), slice(middle[0], None)):
            for columns in (slice(None, middle[1]), slice(middle[1], None)):
                part, seen = copy(self), np.zeros_like(self.seen)
                seen[rows, columns] = self.seen[rows, columns]
                if seen.sum() >= MINIMUM:
                    part.seen, part._gradients = seen, {}
                    part.use(self._compared)
                    result.append(part)
        return result or [self]

    def gathered(self, moves: Sequence[YX]) -> _Window:
        """Itself, its bands brought together where there are moves."""
        if self.usable and len(moves):
            self.gather(np.array(moves))
        return self

    def cells(self, offsets: Offsets, bands: Sequence[int] | None = None) -> Cells:
        """What registration by place wants of the window, of some bands, where MS lies by offsets."""
        rows, columns = (x + o for x, o in zip(self.position, self._origin))
        moved = offsets(rows, columns)
        y, x = self.position[0][:, None] + moved[0], self.position[1] + moved[1]
        slopes = [np.gradient(self.pan_structure, axis=axis) for axis in (0, 1)]
        pan = _sampled_at(np.stack([*slopes, self.pan_structure]), y, x)
        images = self._compared if bands is None else self._compared[list(bands)]
        return Cells.of(np.concatenate([images, pan]), self.seen, rows, columns)

    def gather(self, moves: np.ndarray) -> None:
        """Bring bands together that are displaced by `moves` [C, 2] PAN pixels."""
        phases = [(y / self.ratio[0], x / self.ratio[1]) for y, x in moves]
        size = self.seen.shape
        moved = [interpolate(image[None, None], (1.0, 1.0), p, size)[0, 0] for image, p in zip(self.images, phases)]
        self.use(np.stack(moved))

    def pan(self, offset: np.ndarray) -> np.ndarray:
        """PAN's structure where the MS pixels lie when they are moved by an offset (rows, columns), [n]."""
        rows, columns = (x + o for x, o in zip(self.position, offset))
        structure = _sampled(_sampled(self.pan_structure, rows, 0), columns, 1)[self.seen]
        return structure - structure.mean()

    def surface(self, down: np.ndarray, across: np.ndarray) -> np.ndarray:
        """r2 where MS is moved by each of these along rows, and along columns, [rows * columns]."""
        some = slice(None, None, SPARSE)
        rows, columns = (x[some] for x in self.position)
        seen = self.seen[some, some]
        lines = [_sampled(self.pan_structure, rows + move, 0, 1) for move in down]
        pan = np.stack([_sampled(line, columns + move, 1, 1)[seen] for line in lines for move in across])
        pan -= pan.mean(axis=1, keepdims=True)

        # r2 = |Q^T p|^2 / |p|^2, Q an orthonormal basis of the bands
        bands = self.images[:, some, some][:, seen].T
        explained = ((pan @ _basis(bands - bands.mean(axis=0))) ** 2).sum(axis=1)
        return explained / np.maximum((pan**2).sum(axis=1), 1e-300)

    def r2(self, pan: np.ndarray) -> float:
        """Share of PAN's structure that the bands explain."""
        energy = float(pan @ pan)
        return float(np.sum((self.basis.T @ pan) ** 2)) / energy if energy > 0 else 0.0

    def beyond_chance(self, r2: float) -> float:
        """r2 without what bands that have nothing to do with PAN would explain of so few pixels."""
        chance = min(0.99, (self.basis.shape[1] + 2) * PATCH / len(self.bands))
        return max(0.0, (r2 - chance) / (1 - chance))

    def gradients(self, offset: np.ndarray) -> np.ndarray:
        """PAN's derivatives along rows and columns at MS positions, [n, 2]; within a quarter pixel of the offset."""
        near = tuple(np.round(offset * 4) / 4)
        if near not in self._gradients:
            steps = np.eye(2) / 2
            self._gradients[near] = np.stack([self.pan(near + u) - self.pan(near - u) for u in steps], axis=1)
        return self._gradients[near]

    def refine(self, offset: np.ndarray, steps: int = 4) -> np.ndarray | None:
        """The offset of this window alone, from a start within a pixel; None where it runs away.

        Gauss-Newton: PAN near an offset o is p(o + d) = p(o) + G d, with G = [dp/dy, dp/dx]. Where o + d is right, the
        bands M explain it, p(o) + G d = M w; so w and d are the least-squares solution of [M, -G] [w; d] = p(o).
        """
        start = offset
        for _ in range(steps):
            design = np.concatenate([self.bands, -self.gradients(offset)], axis=1)

            # columns of one size, so that the cut-off of small singular values means the same for bands and gradients
            scale = np.sqrt(np.mean(design**2, axis=0))
            scale[scale == 0] = 1
            solution = np.linalg.lstsq(design / scale, self.pan(offset), rcond=1e-8)[0] / scale

            move = solution[-2:]
            offset = offset + np.clip(move, -1, 1)
            if np.abs(offset - start).max() > 2.5:
                return None
            if np.abs(move).max() < 0.01:
                break
        return offset


def register(
    windows: Iterable[Pair],
    *,
    per_band: bool = True,
    search: float = SEARCH,
    size: tuple[int, int] | None = None,
    denser: Callable[[Callable[[Pair], Any]], list] | None = None,
    local: bool = False,
    each: Callable[..., Iterable] = map,
) -> Registration:
    """The offset of MS against PAN, from windows of a scene (one pair, batch 1, for a whole image).

    search: PAN pixels in every direction; beyond NEAR they are searched only where no offset nearby is sure. size: of
    the scene's PAN, over which the offset may vary; None: it is one. denser: gives what a function makes of more
    windows, which cover the scene as far as that is affordable. local: that it varies is looked for however little
    windows scatter, and taken for less. each: what maps a function over the windows, in order:
    `map`, or that of a pool of threads.
    """
    windows = list(windows)
    result = _searched(windows, min(NEAR, search), per_band, size, denser, local, each)
    if result.confident or search <= NEAR:
        return result
    wide = _searched(windows, search, per_band, size, denser, local, each)
    return wide if wide.confident else result


def _searched(
    windows: list[Pair],
    search: float,
    per_band: bool,
    size: tuple[int, int] | None,
    denser: Callable[[Callable], list] | None,
    local: bool,
    each: Callable[..., Iterable],
) -> Registration:
    prepared = [w for w in each(lambda pair: _Window(pair, search), windows) if w.usable]
    if not prepared:
        return Registration()
    start, weight = _coarsely(prepared, search, each)
    if weight.sum() <= 0:
        return Registration(windows=len(prepared))
    nominal = float(weight @ np.array([w.r2(w.pan(np.zeros(2))) for w in prepared]) / weight.sum())
    result = replace(_consensus(prepared, start, search, each), r2_before=nominal)
    if result.r2_after < nominal - 1e-3:
        result = replace(result, confidence=0.0)
    if per_band and result.confident:
        best = [prepared[k] for k in np.argsort(-weight)[:BAND_WINDOWS]]
        result = _gathered(prepared, best, result, search, each)
    if size is None or not (local or result.scatter >= STILL):
        return result
    return _locally(prepared, result, size, denser, PAYS_ASKED if local else PAYS, each)


def _gathered(
    windows: list[_Window], best: list[_Window], result: Registration, search: float, each: Callable[..., Iterable]
) -> Registration:
    """The same, where bands lie apart with the offset of each; the windows then have them together."""
    moves = displacements([(w.images, w.seen) for w in best], windows[0].ratio)
    if not moves.any():
        return result
    moves = moves - moves.mean(axis=0)
    for w in windows:
        w.gather(moves)
    gathered = _consensus(windows, np.array(result.shift), search, each)
    if not gathered.confident:
        for w in windows:
            w.use(w.images)
        return result
    beyond = tuple((float(y), float(x)) for y, x in moves)
    return replace(gathered, band_shifts=beyond, r2_before=result.r2_before)


def _coarsely(windows: list[_Window], search: float, each: Callable[..., Iterable]) -> tuple[np.ndarray, np.ndarray]:
    """The whole pixels [2] at which the windows' bands explain most of PAN, and how much each window has to say.

    A wide search takes every second pixel first, since PAN is smoothed by its MTF.
    """
    start, weight = np.zeros(2), np.zeros(len(windows))
    for reach, step in [(search, 2.0), (2.0, 1.0)] if search > NEAR else [(search, 1.0)]:
        moves = np.arange(-reach, reach + step, step)
        surface = np.array(
            list(each(partial(_Window.surface, down=start[0] + moves, across=start[1] + moves), windows))
        )
        # windows in which PAN and bands have little in common say little
        weight = np.array([w.beyond_chance(r2) for w, r2 in zip(windows, surface.max(axis=1))]) ** 2
        start = start + moves[np.array(np.divmod(np.argmax(weight @ surface), len(moves)))]
    return start, weight


def _consensus(windows: list[_Window], start: np.ndarray, search: float, each: Callable) -> Registration:
    """What the windows, each refined from a common start, agree on; one that runs away disagrees by its weight.

    Where PAN and bands are similar, `DOUBT` to the power of the number of windows is left that they agree by chance.
    """
    windows = _cut(windows, PARTS, SMALLEST)
    refined = list(each(lambda w: w.refine(start), windows))
    places = [start if offset is None else offset for offset in refined]
    explained = each(lambda item: item[0].r2(item[0].pan(item[1])), zip(windows, places))
    weights = np.array([w.beyond_chance(r2) ** 2 for w, r2 in zip(windows, explained)])
    kept = [k for k, offset in enumerate(refined) if offset is not None]
    if not kept or weights[kept].sum() <= 0:
        return Registration(windows=len(windows))
    offsets, lost = np.array(places)[kept], weights.sum() - weights[kept].sum()
    shift = _weighted_median(offsets, weights[kept])
    apart = np.abs(offsets - shift).max(axis=1)
    close = apart < AGREE
    agree = float(close @ weights[kept] / (weights[kept].sum() + lost))

    fits = list(each(lambda w: w.r2(w.pan(shift)), windows))
    after = float(np.average(fits, weights=weights))
    common = float(np.average([w.beyond_chance(fit) for w, fit in zip(windows, fits)], weights=weights))
    sure = 1 - DOUBT ** int(close.sum())
    confidence = agree * sure * min(1.0, common / 0.6) if np.abs(shift).max() <= search + 0.5 else 0.0
    scatter = float(_weighted_median(apart[:, None], weights[kept])[0])
    return Registration((float(shift[0]), float(shift[1])), confidence, float("nan"), after, (), len(windows), scatter)


def _cut(windows: list[_Window], count: int, smallest: int) -> list[_Window]:
    """The windows in quarters, and these in quarters, until there are so many or sides would be too short."""
    while len(windows) < count:
        parts = [part for w in windows for part in w.quarters(smallest)]
        if len(parts) == len(windows):
            break
        windows = parts
    return windows


def _locally(
    windows: list[_Window],
    result: Registration,
    size: tuple[int, int],
    denser: Callable[[Callable], list] | None,
    pays: float,
    each: Callable,
) -> Registration:
    """The same, with a field where that explains neighbourhoods which it was not fitted to better than one offset does:
    a polynomial, and beyond that the nodes of lattices, each if it explains the share `pays` of what is left."""
    offsets, varies = _polynomial(_cut(windows, LOCAL, NARROWEST), np.array(result.shift), size, pays, each)
    origin, step = lattice(size, (2, 2))
    reach = float(np.abs(offsets(*(np.array([o, o + s]) for o, s in zip(origin, step)))).max()) + 1
    dense = denser(lambda pair: _Window(pair, reach, 2).gathered(result.band_shifts)) if denser else []
    seen = [w for w in dense if w.usable] or windows

    def cells(there: Offsets, bands: Sequence[int] | None = None) -> Cells:
        return Cells.joined(list(each(lambda w: w.cells(there, bands), seen)))

    ratio, bands = windows[0].ratio, len(windows[0].images)
    offsets, equations = _gridded(cells, offsets, size, ratio, pays)
    if not (varies or equations):
        return result
    equations = equations or cells(offsets).equations(lattices(size, ratio)["grid"].side)
    beyond, groups = replace(result, shift=(0.0, 0.0)).totals(bands)
    origin, step = lattice(size, (_nodes(size[0], ratio[0]), _nodes(size[1], ratio[1])))
    nodes = offsets(*(o + s * np.arange(_nodes(n, r)) for o, s, n, r in zip(origin, step, size, ratio)))
    return replace(_judged(result, equations, bands), field=None).varying(
        nodes + beyond[..., :1, :1], groups, origin, step
    )


def _nodes(length: int, ratio: float) -> int:
    """Nodes of an axis of a field that is kept."""
    return int(np.clip(np.ceil(length / ratio / SPACING) + 1, 2, NODES))


def _polynomial(
    windows: list[_Window], start: np.ndarray, size: tuple[int, int], pays: float, each: Callable
) -> tuple[Offsets, bool]:
    """The polynomial that offsets of windows follow, refined from a start, and whether it is more than that.

    Windows are left out one by one; it has to explain the share `pays` of what one of a lower order leaves unexplained
    of PAN there.
    """

    def still(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return np.broadcast_to(start[:, None, None], (2, len(rows), len(columns)))

    refined = list(each(lambda w: w.refine(start), windows))
    kept = [(w, offset) for w, offset in zip(windows, refined) if offset is not None]
    if not kept:
        return still, False
    windows, offsets = [w for w, _ in kept], np.array([offset for _, offset in kept])
    places, every = np.stack([w.place for w in windows]), np.arange(len(windows))
    weights = np.array([w.beyond_chance(w.r2(w.pan(o))) ** 2 for w, o in kept])
    if weights.sum() <= 0:
        return still, False

    def unexplained(order: int) -> float:
        """Of PAN, in windows that the polynomial was not fitted to."""
        left = 0.0
        for k, window in enumerate(windows):
            others = every[every != k]
            solution = fitted(order, places[others], offsets[others], weights[others], size)
            there = (polynomial(order, places[k : k + 1], size) @ solution)[0]
            left += weights[k] * (1 - window.r2(window.pan(there)))
        return left

    best, left = 0, unexplained(0)
    for order in ORDERS:
        if len(windows) < (order + 1) * (order + 2):
            break
        further = unexplained(order)
        if further < (1 - pays) * left:
            best, left = order, further
    if not best:
        return still, False
    solution = fitted(best, places, offsets, weights, size)

    def bent(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        there = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)
        return (polynomial(best, there, size) @ solution).T.reshape(2, len(rows), len(columns))

    return bent, True


def _gridded(
    cells: Callable[[Offsets], Cells], offsets: Offsets, size: tuple[int, int], ratio: YX, pays: float
) -> tuple[Offsets, Equations | None]:
    """Offsets with those of the lattices that pay, the best first, and the equations around them; None where none."""
    equations, waiting = None, lattices(size, ratio)
    while waiting:
        fits = {name: gridded(cells, offsets, lattice) for name, lattice in waiting.items()}
        paying = {name: fit for name, fit in fits.items() if fit and fit.left < 1 - pays}
        if not paying:
            break
        name = min(paying, key=lambda name: paying[name].left)
        offsets, equations = paying[name].offsets, paying[name].equations
        del waiting[name]
    return offsets, equations


def _judged(result: Registration, equations: Equations, bands: int) -> Registration:
    """The same with confidence, scatter and r2 as neighbourhoods see a field that `equations` lie around."""
    r2 = 1 - equations.energy / np.maximum(equations.total, 1e-300)
    chance = np.minimum(0.99, (bands + 2) * PATCH / np.maximum(equations.freedom, 1))
    common = np.clip((r2 - chance) / (1 - chance), 0, 1)
    weights = common**2 * equations.clearness
    if weights.sum() <= 0:
        return replace(result, confidence=0.0)
    apart = np.abs(equations.best).max(axis=1)
    close = apart < AGREE
    agree = float(close @ weights / weights.sum()) * (1 - DOUBT ** int(close.sum() / FOLDS))
    return replace(
        result,
        confidence=agree * min(1.0, float(np.average(common, weights=weights)) / 0.6),
        r2_after=float(np.average(r2, weights=weights)),
        windows=len(r2),
        scatter=float(_weighted_median(apart[:, None], weights)[0]),
    )


def _structure(image: np.ndarray, valid: np.ndarray, size: list[float]) -> np.ndarray:
    """The image minus its local mean over valid pixels."""
    width = [max(3, round(s)) for s in size]
    mean = _local_mean(image * valid, width)
    if not valid.all():
        mean /= np.maximum(_local_mean(valid, width), 1e-6)
    structure = image - mean
    least = 1e-9 * np.abs(image).max()  # what running sums leave of a flat image
    return np.where(np.abs(structure) > least, structure, 0.0)


def _local_mean(image: np.ndarray, width: list[int]) -> np.ndarray:
    """The mean over a window of so many rows and columns; borders are mirrored."""
    for axis, n in enumerate(width):
        pad = [(n // 2 + 1, n - n // 2 - 1) if k == axis else (0, 0) for k in (0, 1)]
        image = np.moveaxis(np.pad(image, pad, mode="symmetric").astype(np.float64, copy=False).cumsum(axis), axis, 0)
        image = np.moveaxis((image[n:] - image[:-n]) / n, 0, axis)
    return image


def _sampled(image: np.ndarray, position: np.ndarray, axis: int, reach: int = 2) -> np.ndarray:
    """The image at positions along an axis: cubic convolution (reach 2), or linear (1); ends are replicated."""
    kernel = kernels.cubic if reach == 2 else lambda x: 1 - np.abs(x)
    base = np.floor(position).astype(int)
    shape = (-1, 1) if axis == 0 else (1, -1)
    parts = (
        image.take(np.clip(base + k, 0, image.shape[axis] - 1), axis) * kernel(base + k - position).reshape(shape)
        for k in range(1 - reach, reach + 1)
    )
    return sum(parts)


def _sampled_at(images: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Images [k, H, W] at places [h, w] by cubic convolution; ends are replicated."""
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    across = [(np.clip(left + k, 0, images.shape[2] - 1), kernels.cubic(left + k - x)) for k in range(-1, 3)]
    result = np.zeros((len(images), *y.shape))
    for k in range(-1, 3):
        row, down = np.clip(top + k, 0, images.shape[1] - 1), kernels.cubic(top + k - y)
        for column, weight in across:
            result += images[:, row, column] * (down * weight)
    return result


def _basis(bands: np.ndarray) -> np.ndarray:
    """An orthonormal basis of the columns of [n, C]."""
    u, scale, _ = np.linalg.svd(bands, full_matrices=False)
    return u[:, scale > 1e-8 * scale[0]] if scale[0] > 0 else u[:, :0]


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
