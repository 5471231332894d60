"""Where the MS grid lies on the PAN grid, from their georeferencing: pure arithmetic, no files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

import numpy as np
from affine import Affine

from panflow.errors import GeometryError, InputError
from panflow.files import camera
from panflow.files.camera import Camera
from panflow.ops.window import Core, within
from panflow.pairs import ratio_of
from panflow.types import YX, yx


@dataclass(frozen=True)
class Grid:
    """A raster's pixels on the ground: GDAL's affine transform, a CRS or None, (rows, columns); camera: RPC or control
    points of an image that was not brought to a map."""

    transform: Affine
    crs: Any
    size: tuple[int, int]
    camera: Camera | None = None

    @property
    def located(self) -> bool:
        return bool(self.crs) and self.transform != Affine.identity()

    @property
    def pixel_area(self) -> float:
        """In squared units of the CRS."""
        return abs(self.transform.determinant)

    def cut(self, core: Core) -> Grid:
        """The grid of some of the pixels."""
        top, bottom, left, right = core
        camera = self.camera and self.camera.cut(top, left)
        return Grid(self.transform * Affine.translation(left, top), self.crs, (bottom - top, right - left), camera)

    def part(self, bounds: str | Sequence[float] | None, pixels: str | Sequence[int] | None) -> Core:
        """The pixels that are meant by bounds (west, south, east, north) in the grid's reference system, or by (first
        row, first column, rows, columns); None: all. On rotated axes these are the pixels that cover the bounds.

        Raises InputError.
        """
        if bounds is not None and pixels is not None:
            raise InputError("both bounds and pixels name the part that is meant: expected one of them")
        core = 0, self.size[0], 0, self.size[1]
        if bounds is not None:
            if not self.located:
                raise InputError("bounds are of a reference system, and PAN has none: give the part by pixels")
            west, south, east, north = _four("bounds", bounds, "west,south,east,north")
            if not (west < east and south < north):
                raise InputError(f"bounds {bounds!r}: expected west,south,east,north, with west < east, south < north")
            corners = [~self.transform * (x, y) for x in (west, east) for y in (south, north)]
            columns, rows = zip(*corners)
            core = round(min(rows)), round(max(rows)), round(min(columns)), round(max(columns))
        elif pixels is not None:
            top, left, height, width = (int(v) for v in _four("pixels", pixels, "row,column,rows,columns"))
            core = top, top + height, left, left + width
        part = within(core, (0, self.size[0], 0, self.size[1]))
        if not (part[0] < part[1] and part[2] < part[3]):
            what = f"bounds {bounds!r}" if bounds is not None else f"pixels {pixels!r}"
            raise InputError(f"{what}: there is no pixel of PAN, which has {self.size[0]} x {self.size[1]}")
        return part


@dataclass(frozen=True)
class Placement:
    """ratio: PAN pixels per MS pixel; phase: centre of MS pixel (0, 0) on the PAN grid, in PAN pixels (both rows,
    columns). warp: the grid that MS must be resampled to first, None where that of MS
    will do. notes: what was assumed."""

    ratio: YX
    phase: YX
    warp: Grid | None = None
    notes: tuple[str, ...] = ()


def _four(what: str, given: str | Sequence[float], order: str) -> tuple[float, float, float, float]:
    try:
        a, b, c, d = (float(v) for v in (given.split(",") if isinstance(given, str) else given))
    except (TypeError, ValueError):
        a = b = c = d = nan
    if not all(map(isfinite, (a, b, c, d))) or (what == "pixels" and any(v != int(v) for v in (a, b, c, d))):
        raise InputError(f"{what} {given!r}: expected {'whole ' * (what == 'pixels')}numbers {order}")
    return a, b, c, d


def place(pan: Grid, ms: Grid, to_pan_crs: Any = None, dem: str | float | None = None) -> Placement:
    """MS on the PAN grid.

    By georeferencing where both files have one, else by their RPC (heights from `dem`: `camera.relation`). Where
    either lacks both, or the two carry the same dummy georeferencing, the pixels are assumed to share the outer corner.
    Grids that are rotated, flipped or in another CRS against PAN are to be warped to PAN's axes at their resolution;
    `to_pan_crs(xs, ys)` maps MS's CRS to PAN's. Raises GeometryError where PAN is coarser than MS or the two do not
    overlap.
    """
    dummy = pan.transform == ms.transform and pan.size != ms.size
    if not (pan.located and ms.located) or dummy:
        seen = pan.camera and pan.camera.rpcs, ms.camera and ms.camera.rpcs
        return _by_camera(pan, ms, *seen, dem) if all(seen) else _shared_corner(pan, ms, dummy)
    if to_pan_crs is None:
        relation = ~pan.transform * ms.transform  # MS pixel corners to PAN pixel corners
        if _aligned(relation, ms.size):
            return _parallel(relation, pan, ms)
    return _warped(pan, ms, to_pan_crs)


def _parallel(relation: Affine, pan: Grid, ms: Grid, notes: tuple[str, ...] = ()) -> Placement:
    """MS whose axes run along PAN's, by where its corners of pixels lie among PAN's."""
    ratio = (relation.e, relation.a)
    phase = (relation.f + relation.e / 2 - 0.5, relation.c + relation.a / 2 - 0.5)
    _check(ratio, phase, pan, ms.size)
    return Placement(ratio, phase, notes=notes)


def _by_camera(pan: Grid, ms: Grid, pan_rpcs: Any, ms_rpcs: Any, dem: str | float | None) -> Placement:
    relation, bend = camera.relation(pan_rpcs, ms_rpcs, ms.size, dem)
    if not _aligned(relation, ms.size, camera.STRAIGHT):
        raise GeometryError("the RPC turn MS against PAN: images of one camera were expected; orthorectify both first")
    y, x = (
        float(round(r)) if abs(r - round(r)) * n < camera.STRAIGHT else r
        for r, n in zip((relation.e, relation.a), ms.size)
    )  # registration measures the offset, and a ratio that is whole takes less time
    h, w = ms.size
    column, row = relation * (w / 2, h / 2)
    note = "no map georeferencing: MS is placed on PAN by their RPC, and the result keeps PAN's"
    if bend > camera.STRAIGHT:
        note += f"; they leave {bend:.1f} PAN pixels that change with the place, which registration may find"
    return _parallel(Affine(x, 0, column - x * w / 2, 0, y, row - y * h / 2), pan, ms, (note,))


def _aligned(relation: Affine, ms_size: tuple[int, int], slack: float = 0.05) -> bool:
    """Both axes run along PAN's: off-diagonal terms move no MS pixel by more than `slack` PAN pixels."""
    drift = max(abs(relation.b) * ms_size[0], abs(relation.d) * ms_size[1])
    return relation.a > 0 and relation.e > 0 and drift < slack


def _shared_corner(pan: Grid, ms: Grid, dummy: bool) -> Placement:
    why = (
        "PAN and MS carry the same geotransform"
        if dummy and pan.located
        else "no CRS or geotransform in "
        + " and ".join(name for name, grid in (("PAN", pan), ("MS", ms)) if not grid.located)
    )
    ratio = yx(ratio_of(p, m) for p, m in zip(pan.size, ms.size))
    sizes = [(abs(g.transform.e), abs(g.transform.a)) for g in (ms, pan)]
    if not dummy and Affine.identity() not in (ms.transform, pan.transform) and min(sizes[1]) > 0:
        pixels = yx(a / b for a, b in zip(*sizes))  # extents may differ, but units may, too
        ratio = pixels if all(0.5 < p / r < 2 for p, r in zip(pixels, ratio)) else ratio
    phase = yx((r - 1) / 2 for r in ratio)
    _check(ratio, phase, pan, ms.size)
    note = f"{why}: PAN and MS are assumed to share their upper left corner, ratio {ratio[0]:g} x {ratio[1]:g}"
    return Placement(ratio, phase, notes=(note,))


def _check(ratio: YX, phase: YX, pan: Grid, ms_size: tuple[int, int]) -> None:
    if min(ratio) < 0.99 or max(ratio) <= 1.01:
        raise GeometryError(
            f"PAN pixels are not finer than MS pixels (ratio {ratio[0]:.3g} x {ratio[1]:.3g}): "
            "expected PAN first, then MS; are the two swapped?"
        )
    for axis, name in ((0, "rows"), (1, "columns")):
        low, high = phase[axis] - ratio[axis] / 2, phase[axis] + (ms_size[axis] - 0.5) * ratio[axis]
        if high <= -0.5 or low >= pan.size[axis] - 0.5:
            raise GeometryError(
                f"PAN and MS do not overlap: MS lies at PAN {name} {low:.0f} to {high:.0f}, "
                f"PAN has {pan.size[axis]}; check that both are of one scene"
            )


def _warped(pan: Grid, ms: Grid, to_pan_crs: Any) -> Placement:
    """A grid along PAN's axes that covers MS with pixels of about its size."""

    def to_pan(rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        to_ground: Any = ms.transform  # takes arrays, though its types say numbers
        xs, ys = to_ground * (columns, rows)
        if to_pan_crs is not None:
            xs, ys = (np.asarray(v) for v in to_pan_crs(xs, ys))
        with np.errstate(invalid="ignore"):  # points without coordinates are looked for below
            c, r = ~pan.transform * (xs, ys)
        return r, c

    h, w = ms.size
    edge = np.linspace(0, 1, 21)
    rows = np.concatenate([edge * h, edge * h, edge * 0, edge * 0 + h])
    columns = np.concatenate([edge * 0, edge * 0 + w, edge * w, edge * w])
    r, c = to_pan(rows, columns)
    if not (np.isfinite(r).all() and np.isfinite(c).all()):
        raise GeometryError("MS cannot be brought to PAN's CRS: some of its border has no coordinates there")
    around = to_pan(np.array([0, 1, 0]) + h / 2, np.array([0, 0, 1]) + w / 2)
    steps = [np.hypot(around[0][k] - around[0][0], around[1][k] - around[1][0]) for k in (1, 2)]
    if abs(around[0][2] - around[0][0]) > abs(around[0][1] - around[0][0]):  # rows run along PAN's columns
        steps = steps[::-1]
    ratio = yx(float(round(s)) if abs(s - round(s)) < 0.02 else float(s) for s in steps)
    low = (float(r.min()), float(c.min()))
    size = yx(max(1, int(np.ceil((v.max() - v.min()) / s - 1e-6))) for v, s in ((r, ratio[0]), (c, ratio[1])))
    transform = pan.transform * Affine.translation(low[1], low[0]) * Affine.scale(ratio[1], ratio[0])
    phase = yx(l + s / 2 - 0.5 for l, s in zip(low, ratio))
    _check(ratio, phase, pan, size)
    why = "another CRS" if to_pan_crs is not None else "rotated or flipped axes"
    note = f"MS has {why}: it is resampled to PAN's axes at {size[0]} x {size[1]} pixels (Lanczos)"
    return Placement(ratio, phase, Grid(transform, pan.crs, size), (note,))
