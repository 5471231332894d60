"""Before and after at a glance: PAN, MS and the fused image side by side, of arrays or of files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import groupby
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
from affine import Affine
from PIL import Image

from panflow.arrays import to_numpy
from panflow.errors import InputError
from panflow.pictures import picture
from panflow.pictures.composite import GAMMA, composite, details
from panflow.types import YX, Sensor

if TYPE_CHECKING:
    from panflow.files.output import Output
    from panflow.files.source import Source
    from panflow.ops.window import Core

PANEL = 400  # pixels of the picture
ZOOM = 2  # picture pixels per PAN pixel in the details
OVERVIEW = 1024  # pixels of the reduced PAN in which details are looked for
COLUMNS = ("PAN", "MS, interpolated", "fused")

Box = tuple[float, float, float, float]  # top, left, height, width in PAN pixels
View = Callable[[str, Box, tuple[int, int]], np.ndarray]  # (column, box, shape) -> [C, *shape]


Panels = list[tuple[str, list[Image.Image]]]  # title of a row, its pictures in the order of COLUMNS


def _compose(view: View, size: tuple[int, int], count: int, gamma: float, names: Sequence[str]) -> Image.Image:
    """The picture of a scene of `size`: all of it, and `count` details."""
    titles, rows = zip(*_panels(view, size, count, gamma))
    return picture.sheet(rows, names, titles)


def _panels(view: View, size: tuple[int, int], count: int, gamma: float) -> Panels:
    """Rows of pictures of a scene of `size`: all of it, and `count` details."""
    whole: Box = (0, 0, *size)
    overview = view(COLUMNS[0], whole, _within(size, OVERVIEW))
    small = _within(size, PANEL)
    whole_row = [view(column, whole, small) for column in COLUMNS]
    color = picture.limits(whole_row[1:])
    scales = [picture.limits(whole_row[:1]), color, color]
    side = PANEL // ZOOM
    corners = details(overview[0], size, side, count) if side < max(size) else []  # else all is enlarged already
    boxes = [(y, x, min(side, size[0] - y), min(side, size[1] - x)) for y, x in corners]
    rows = [whole_row, *([view(column, box, box[2:]) for column in COLUMNS] for box in boxes)]
    percent = 100 * small[0] / size[0]
    titles = [f"the scene, {size[0]} x {size[1]} PAN pixels" + (f", shown at {percent:.3g} %" if percent < 100 else "")]
    titles += [f"{h} x {w} PAN pixels from row {y}, column {x}" for y, x, h, w in boxes]
    panels = [[picture.panel(image, scale, PANEL, gamma) for image, scale in zip(row, scales)] for row in rows]
    return list(zip(titles, panels))


def _within(size: tuple[int, int], limit: int) -> tuple[int, int]:
    """The size reduced to at most `limit` pixels on the longer side."""
    scale = min(1, limit / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def quicklook(
    pan: Any,
    ms: Any,
    fused: Any,
    *,
    sensor: str | Sensor | None = None,
    phase: Any = "corner",
    count: int = 3,
    gamma: float = GAMMA,
    name: str = COLUMNS[2],
) -> Image.Image:
    """A picture of PAN, interpolated MS and the fused image of one scene: whole, and in `count` textured details.

    pan [H, W] or [1, H, W], ms [C, h, w], fused [C, H, W], NaN for nodata; sensor and phase as for `sharpen`. MS and
    the fused image are stretched alike; name: what to write over the fused image.
    """
    from panflow.ops.resample import ms_up
    from panflow.pairs import make_pair

    pair = make_pair(pan, ms, sensor, phase)
    fused = to_numpy(fused)
    if fused.shape != (pair.bands, *pair.size):
        raise InputError(
            f"fused has shape {fused.shape}: expected {(pair.bands, *pair.size)}, MS's bands on PAN's grid"
        )
    color = list(composite(pair.sensor.bands))
    up = to_numpy(ms_up(pair))[0, color]
    gray = to_numpy(pair.pan)[0]
    if pair.pan_valid is not None:
        valid = to_numpy(pair.pan_valid)[0]
        up, gray = np.where(valid, up, np.nan), np.where(valid, gray, np.nan)
    images = dict(zip(COLUMNS, (gray, up, fused[color])))

    def view(column: str, box: Box, shape: tuple[int, int]) -> np.ndarray:
        y, x, h, w = map(int, box)
        return _reduce(images[column][:, y : y + h, x : x + w], shape)

    return _compose(view, pair.size, count, gamma, [*COLUMNS[:2], name])


def _reduce(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The mean over the area of every coarse pixel, of what is valid there."""
    if image.shape[1:] == tuple(shape):
        return image

    def mean(plane: np.ndarray) -> np.ndarray:
        return np.asarray(Image.fromarray(plane.astype(np.float32)).resize(shape[::-1], Image.Resampling.BOX))

    valid = np.isfinite(image)
    share = np.stack([mean(plane) for plane in valid])
    total = np.stack([mean(plane) for plane in np.where(valid, image, 0)])
    return np.where(share > 0, total / np.where(share > 0, share, 1), np.nan)


def _colors(source: Source) -> tuple[int, ...]:
    """As `composite`, but without names the files' colour interpretation goes before what the sensor's bands would be.

    Three bands without either are red, green, blue, as composites are, whatever the sensor's order.
    """
    if not any(source.names):
        meanings = [color.name for color in source.colors]
        if {"red", "green", "blue"} <= set(meanings):
            return tuple(meanings.index(color) for color in ("red", "green", "blue"))
        if source.bands == 3:
            return 0, 1, 2
    return composite(source.sensor.bands)


def quicklook_file(
    fused_path: PurePath | str,
    pan_path: PurePath | str,
    ms_specs: Sequence[str],
    out_png: PurePath | str | Output,
    *,
    shift: YX = (0.0, 0.0),
    part: Core | None = None,
    sensor: str | Sensor = "auto",
    count: int = 3,
    gamma: float = GAMMA,
    name: str = COLUMNS[2],
) -> None:
    """The picture of `quicklook` as a PNG, from files of any size and any tool's result, in bounded memory.

    ms_specs: files or `file,band=n`; shift: the offset of MS in PAN pixels (rows, columns) that was corrected; part:
    the PAN pixels that the fused image shows, where not all. All is drawn on the fused image's grid, by georeferencing,
    or with shared outer corners where a file has none. Counts are scaled by the files' scale and offset. Raises
    InputError where a file cannot be read, OutputError where the PNG cannot be written.
    """
    titles, rows = zip(
        *panels_of_files(
            fused_path, pan_path, ms_specs, shift=shift, part=part, sensor=sensor, count=count, gamma=gamma
        )
    )
    picture.save(picture.sheet(rows, [*COLUMNS[:2], name], titles), out_png)


def panels_of_files(
    fused_path: PurePath | str,
    pan_path: PurePath | str,
    ms_specs: Sequence[str],
    *,
    shift: YX = (0.0, 0.0),
    part: Core | None = None,
    sensor: str | Sensor = "auto",
    count: int = 3,
    gamma: float = GAMMA,
) -> Panels:
    """The rows of `quicklook_file`'s picture, a title and pictures of PAN, MS and the fused image each."""
    from rasterio.enums import ColorInterp

    from panflow import sensors
    from panflow.files.grid import Grid
    from panflow.files.scene import Scene
    from panflow.files.source import Layer, Source, grid_of, open_dataset, sparing
    from panflow.scene import _window

    source = Source(Scene.of(pan_path, ms_specs, sensor=sensor))
    source.close()
    color = last = _colors(source)
    roles = dict.fromkeys(source.paths, "MS") | {source.pan_path: "PAN", str(fused_path): "fused"}
    with sparing(*roles), ExitStack() as stack:
        files = {path: stack.enter_context(open_dataset(path, role)) for path, role in roles.items()}
        base = files[str(fused_path)]
        bands = [i for i, meaning in zip(base.indexes, base.colorinterp) if meaning != ColorInterp.alpha]
        if len(bands) != source.bands:  # another tool's choice of bands: by their names, or they are red, green, blue
            names = [base.descriptions[i - 1] or "" for i in bands]
            last = composite(sensors.fit_bands(sensors.load("generic"), len(bands), names).bands)
        layers = (
            [Layer(source.pan_path, source.pan_band)],
            [source.layers[i] for i in color],
            [Layer(str(fused_path), bands[i]) for i in last],
        )
        columns = dict(zip(COLUMNS, layers))
        anchor = grid_of(base)
        scene = anchor
        if part is not None:
            corner = anchor.transform * Affine.translation(-part[2], -part[0])
            scene = Grid(corner, anchor.crs, files[source.pan_path].shape)
        grids = {path: _window.placed(file, anchor if file is base else scene) for path, file in files.items()}

        def view(column: str, box: Box, shape: tuple[int, int]) -> np.ndarray:
            y, x, h, w = box
            dy, dx = shift if column == COLUMNS[1] else (0.0, 0.0)  # the corrected offset, taken back
            corner = anchor.transform * Affine.translation(x - dx, y - dy)
            target = Grid(corner * Affine.scale(w / shape[1], h / shape[0]), anchor.crs, shape)
            runs = [(path, [layer.band for layer in run]) for path, run in groupby(columns[column], lambda x: x.path)]
            return np.concatenate([_window.read(files[path], picks, grids[path], target) for path, picks in runs])

        return _panels(view, anchor.size, count, gamma)
