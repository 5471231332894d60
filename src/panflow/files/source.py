"""PAN and MS files as one scene that is read window by window."""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.enums import ColorInterp, Interleaving, MaskFlags, Resampling
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform as transform_points
from rasterio.windows import Window

from panflow import sensors
from panflow.errors import GeometryError, InputError, MissingInput
from panflow.files.camera import Camera
from panflow.files.grid import Grid, Placement, place
from panflow.files.output import reason
from panflow.files.remote import failure, gdal_name, gdal_options, is_remote, plain, unread
from panflow.files.scene import Scene, picked
from panflow.files.units import Units, chosen
from panflow.files.validity import HIGHEST, Validity, alpha_band, is_infrared
from panflow.ops.window import Core
from panflow.pairs import Windows, is_toolbox
from panflow.types import Pair, Sensor, yx

LARGEST = 10**11  # PAN pixels of a scene: ten times the largest mosaics
FINE = 1.5  # of PAN's pixel area: a band whose pixels have less is as sharp as PAN
COARSEST = 64  # PAN pixels across an MS pixel
# Servers that a file (a VRT, say) refers to may not answer; raw files that it names must lie with it
GDAL = {
    "GDAL_HTTP_CONNECTTIMEOUT": 10,
    "GDAL_HTTP_TIMEOUT": 60,
    "GDAL_VRT_RAWRASTERBAND_ALLOWED_SOURCE": "SIBLING_OR_CHILD_OF_VRT_PATH",
}
CACHE_MIB = 64  # of GDAL: holds the blocks that windows in work share
WARNINGS = 3  # of GDAL, of the inputs of a run
# What `panflow degrade` records: of both files, that they are reduced; of MS, where its pixel (0, 0) is centred on PAN,
# and of every band its MTF gain
PROTOCOL, PHASE, GAIN = "PANFLOW_PROTOCOL", "PANFLOW_REDUCED_PHASE", "PANFLOW_MTF_GAIN"
UNTOLD = ColorInterp.alpha, ColorInterp.gray, ColorInterp.undefined  # of a band: no colour
COLORS = {name: ColorInterp[name] for name in ("coastal", "blue", "green", "red", "nir", "swir")}
COLORS["red_edge"] = ColorInterp.rededge
PASSING = "STATISTICS_", "PANFLOW_"  # tags of a band that are not true of its sharpened image


@dataclass(frozen=True)
class Layer:
    """One MS band as a user names it: a file and its band (1-based)."""

    path: str
    band: int


def parse_layers(specs: Sequence[str]) -> list[Layer]:
    """The bands of `file` (all but alpha) and `file,band=n` entries, n a number or a name, in order."""
    layers: list[Layer] = []
    for spec in specs:
        path, which = picked(str(spec))
        with open_dataset(path, "MS") as dataset:
            if which:
                layers.append(Layer(path, _band(dataset, which, spec)))
            else:
                alpha = alpha_band(dataset)
                layers.extend(Layer(path, i) for i in dataset.indexes if i != alpha)
    return layers


def _band(dataset: rasterio.DatasetReader, which: str, spec: str) -> int:
    """The band (1-based) of a pick, by number, or by its description or colour."""
    names = [(name or "", color.name) for name, color in zip(dataset.descriptions, dataset.colorinterp)]
    try:
        return 1 + sensors.find(which, names)
    except InputError:
        also = ", ".join(name for name, _ in names if name)
        expected = f"band=1..{dataset.count}" + (f" or a name ({also})" if also else "")
        raise InputError(f"{spec}: expected {expected}, came band={which}") from None


def open_dataset(path: str, role: str) -> rasterio.DatasetReader:
    """A file opened by GDAL; MissingInput or InputError that names it where that fails."""
    if not is_remote(path) and ":" not in path and not Path(path).exists():
        raise MissingInput(f"{role} file {path} does not exist")
    try:
        with rasterio.Env(**GDAL | gdal_options(path)):
            return rasterio.open(gdal_name(path))
    except (RasterioError, CPLE_BaseError, UnicodeError) as error:
        if is_remote(path) and "not recognized" not in reason(error):
            raise failure(path, f"{role} file", reason(error)) from None
        raise InputError(f"{role} file {path} cannot be read as an image: {reason(error)}") from None


@contextmanager
def gdal_warnings() -> Iterator[list[str]]:
    """What GDAL warns of while files are opened, each once."""
    said: list[str] = []

    class Heard(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = record.getMessage().partition(" in ")[2]
            if text and len(said) < WARNINGS and not any(other.endswith(text) for other in said):
                said.append(f"GDAL: {text}")

    handler, logger = Heard(logging.WARNING), logging.getLogger("rasterio._env")
    logger.addHandler(handler)
    try:
        yield said
    finally:
        logger.removeHandler(handler)


def sparing(*paths: str, **options: Any) -> rasterio.Env:
    """GDAL with a small cache, past which it reads uncompressed files: every thread would take whole rows or tiles of a
    scene into it for the pixels of a window."""
    own = {"GDAL_CACHEMAX": CACHE_MIB * 2**20, "GTIFF_DIRECT_IO": all(map(_whole, paths))}
    return rasterio.Env(**own | GDAL | gdal_options(*paths) | options)


def _whole(path: str) -> bool:
    """Whether a file is a TIFF on this machine and, if uncompressed, as long as it should be: past its cache GDAL takes
    what is missing for zero without a word, and a row of a file that is elsewhere is a request."""
    try:
        length = os.path.getsize(path)
        with rasterio.open(path) as dataset:
            if dataset.driver != "GTiff" or dataset.overviews(1):  # which may read, or be, files that nobody looked at
                return False
            if dataset.compression is not None:
                return True
            (rows, columns), tiled = dataset.block_shapes[0], dataset.profile["tiled"]
            apart = dataset.interleaving == Interleaving.band
            row = columns * np.dtype(dataset.dtypes[0]).itemsize * (1 if apart else dataset.count)
            lattice = range(-(-dataset.height // rows)), range(-(-dataset.width // columns))
            for band, y, x in product(dataset.indexes if apart else [1], *lattice):
                size = row * (rows if tiled else min(rows, dataset.height - y * rows))
                offset = dataset.get_tag_item(f"BLOCK_OFFSET_{x}_{y}", "TIFF", bidx=band)
                if offset is None or int(offset) + size > length:
                    return False
    except (OSError, RasterioError):
        return False
    return True


def grid_of(dataset: rasterio.DatasetReader) -> Grid:
    """The pixels of a file on the ground. InputError where its georeferencing is broken."""
    try:
        transform, crs = dataset.transform, dataset.crs
    except (RasterioError, CPLE_BaseError) as error:
        raise InputError(f"the georeferencing of {dataset.name} cannot be read: {reason(error)}") from None
    if not np.isfinite(transform[:6]).all() or transform.is_degenerate:
        raise InputError(f"the georeferencing of {dataset.name} is none: its pixels have no size ({transform[:6]})")
    return Grid(transform, crs, dataset.shape, Camera.of(dataset))


class Source(Windows):
    """A scene of files, whose windows come as pairs in float32, from any thread.

    grid: PAN's; pan_band: of its file (1-based); names, colors, scales, offsets, units, band_tags, imagery (tags of the
    domain IMAGERY: wavelengths), ms_dtype, ms_nodata: of MS, for the result; physical: the units of MS's pixels where
    these are no counts; gains: the MTF gains that MS is recorded to be reduced with, beside a PAN that was reduced,
    too; notes: what a user should know; why: by what the sensor was recognised, or "given". Raises InputError,
    MissingInput, GeometryError, UnknownName.
    """

    names: list[str]
    tags: dict[str, str]
    notes: tuple[str, ...]
    gains: tuple[float, ...] | None

    def __init__(self, scene: Scene):
        self.pan_path, which = picked(scene.pan)
        self.nodata = scene.nodata
        self._local = threading.local()
        self._handles: list[Any] = []
        self._lock = threading.Lock()
        self._beyond: dict[str, float] = {}
        self._readers, self._closed = 0, False
        self._idle = threading.Condition()
        with open_dataset(self.pan_path, "PAN") as dataset:
            count = dataset.count - (alpha_band(dataset) is not None)
            if count != 1 and not which:
                raise InputError(
                    f"PAN file {scene.pan} has {count} bands: expected one, or a pick of one ({scene.pan},band=1); are "
                    "PAN and MS swapped?"
                )
            self.pan_band = _band(dataset, which, scene.pan) if which else 1
            at = slice(self.pan_band - 1, self.pan_band)
            self.grid, self.pan_dtype = grid_of(dataset), dataset.dtypes[self.pan_band - 1]
            self._pan_units = Units(dataset.scales[at], dataset.offsets[at])
            _refuse_complex(self.pan_path, self.pan_dtype)
            self._reduced = PROTOCOL in dataset.tags()
            tags = _all_tags(dataset) | dict(scene.tags)
        self.layers = parse_layers(scene.ms)
        if not self.layers:
            raise InputError("no MS bands given: expected one multi-band file or several band files")
        if scene.bands and len(scene.bands) != len(self.layers):
            names, bands = ", ".join(scene.bands), len(self.layers)
            raise InputError(f"{len(scene.bands)} band names ({names}) for {bands} MS bands: give one a band")
        coarse = self._coarse()
        given = [scene.bands[k] for k in coarse] if scene.bands else []
        sharp = [layer for k, layer in enumerate(self.layers) if k not in coarse]
        self.layers = [self.layers[k] for k in coarse]
        self._describe_ms(tags)
        self.notes += tuple(
            f"band {layer.band} of {layer.path} is as fine as PAN already: it is left alone, and not in the result"
            for layer in sharp
        )
        self.names = given or self.names
        self.physical = chosen(scene.units, self._pan_units, self.scales, self.offsets)
        self.placement = self._place(scene.dem)
        self._require_sizes()
        sensor, self.why = self._sensor(scene.sensor)
        self._describe_bands(sensor)
        super().__init__(
            self._read_pan,
            self._read_ms,
            self.grid.size,
            self.placement.warp.size if self.placement.warp else self.ms_grid.size,
            self.placement.ratio,
            (self.placement.phase,) * len(self.layers),
            sensor,
            is_toolbox(scene.arithmetic),
        )

    def _coarse(self) -> list[int]:
        """The places of the bands whose pixels are larger than PAN's; all, where none is or it cannot be told."""
        fine = set()
        for path in dict.fromkeys(layer.path for layer in self.layers):
            with open_dataset(path, "MS") as dataset:
                grid = grid_of(dataset)
            comparable = grid.located and self.grid.located and grid.crs == self.grid.crs
            if comparable and grid.pixel_area < FINE * self.grid.pixel_area:
                fine.add(path)
        coarse = [k for k, layer in enumerate(self.layers) if layer.path not in fine]
        return coarse or list(range(len(self.layers)))

    def _sensor(self, sensor: str | Sensor) -> tuple[Sensor, str]:
        """The sensor with the bands of MS, and why it is this one."""
        bands = len(self.layers)
        if sensor == "auto":
            ratio = float(np.mean(self.placement.ratio))
            return sensors.guess(self.tags, bands, ratio, self.names, self.layers[0].path)
        if isinstance(sensor, Sensor):
            return sensors.fit_bands(sensor, bands), "given"
        return sensors.fit_bands(sensors.load(sensor), bands, self.names), "given"

    def _describe_bands(self, sensor: Sensor) -> None:
        """Colours and wavelengths, which the sensor's bands have where the files do not say them."""
        for k, band in enumerate(sensor.bands):
            if self.colors[k] == ColorInterp.undefined:
                self.colors[k] = COLORS.get(band.name.rstrip("123"), ColorInterp.undefined)
            if not self.imagery[k] and sensor.name != "generic" and np.isfinite(band.wavelength):
                nm = {"CENTRAL_WAVELENGTH_UM": band.wavelength, "FWHM_UM": band.width}
                self.imagery[k] = {key: f"{value / 1000:.6g}" for key, value in nm.items()}

    @property
    def paths(self) -> list[str]:
        """PAN's file and those of MS."""
        return list(dict.fromkeys([self.pan_path, *(layer.path for layer in self.layers)]))

    def chosen(self, words: str | Sequence[str]) -> list[int]:
        """The places of the MS bands that words mean: names, roles or numbers, a sequence or parted by commas; all
        where there are none. Raises InputError."""
        words = words.split(",") if isinstance(words, str) else words
        bands = [(band.name, name) for band, name in zip(self.sensor.bands, self.names)]
        places = [sensors.find(word.strip(), bands) for word in words if word.strip()]
        if len(set(places)) < len(places):
            raise InputError(f"bands {', '.join(words)}: expected every band once")
        return places or list(range(len(bands)))

    @property
    def files(self) -> list[str]:
        """All files that GDAL reads: those given, what lies beside them, and what they refer to."""
        result: list[str] = []
        for path in self.paths:
            with open_dataset(path, "input") as dataset:
                result += [path, *dataset.files]
        return list(dict.fromkeys(result))

    def _describe_ms(self, pan_tags: dict[str, str]) -> None:
        """Grid of the finest file, the first of several; type and what is carried over to the result, from the first
        file; names from every band."""
        self.names, self.scales, self.offsets, self.units, self.colors = [], [], [], [], []
        self.band_tags, self.imagery = [], []
        self.tags, self.notes = dict(pan_tags), ()
        dtypes, gains, grids = set(), [], {}
        for layer in self.layers:
            with open_dataset(layer.path, "MS") as dataset:
                i = layer.band - 1
                dtypes.add(dataset.dtypes[i])
                _refuse_complex(layer.path, dataset.dtypes[i])
                several = dataset.count > 1
                self.names.append(dataset.descriptions[i] or ("" if several else plain(layer.path).stem))
                self.scales.append(dataset.scales[i])
                self.offsets.append(dataset.offsets[i])
                self.units.append(dataset.units[i])
                gains.append(_numbers(dataset.tags(layer.band).get(GAIN, "")))
                marked = dataset.colorinterp[i]
                self.colors.append(ColorInterp.undefined if marked in UNTOLD else marked)
                self.band_tags.append(_lasting(dataset.tags(layer.band)))
                self.imagery.append(dataset.tags(layer.band, ns="IMAGERY"))
                if is_infrared(dataset):
                    note = f"band 4 of {layer.path} is marked as alpha and holds many values: it is taken as a band"
                    self.notes = tuple(dict.fromkeys((*self.notes, note)))
                if (alpha := alpha_band(dataset)) and all(Layer(layer.path, alpha) != other for other in self.layers):
                    note = (
                        f"band {alpha} of {layer.path} is marked as alpha, and masks: to sharpen it, pick band={alpha}"
                    )
                    self.notes = tuple(dict.fromkeys((*self.notes, note)))
                self.tags |= _all_tags(dataset)
                if layer == self.layers[0]:
                    self.ms_nodata = dataset.nodatavals[i]
                grids[layer.path] = grid_of(dataset)
        crs = grids[self.layers[0].path].crs
        finest = min(grids, key=lambda path: grids[path].pixel_area if grids[path].crs == crs else math.inf)
        self.ms_grid = grids[finest]
        self.notes += tuple(
            f"{path} lies on another grid than {finest}, and is resampled to that"
            for path, grid in grids.items()
            if grid.located and not _alike(grid, self.ms_grid)
        )
        self.ms_dtype = str(np.result_type(*map(np.dtype, dtypes)))
        usable = self._reduced and all(len(gain) == 1 and 0 < gain[0] < 1 for gain in gains)
        self.gains = tuple(gain[0] for gain in gains) if usable else None

    def _require_sizes(self) -> None:
        """InputError where the scene is larger, or MS coarser, than any that can be meant."""
        rows, columns = self.grid.size
        if rows * columns > LARGEST:
            raise InputError(f"{self.pan_path} has {rows} x {columns} pixels: expected at most {LARGEST:.0g}; cut it")
        if max(self.placement.ratio) > COARSEST:
            raise GeometryError(
                f"a pixel of MS is as wide as {max(self.placement.ratio):.4g} of PAN: expected at most {COARSEST}; "
                "is the georeferencing right?"
            )

    def _place(self, dem: str | float | None) -> Placement:
        same = self.grid.crs == self.ms_grid.crs
        convert = None
        if self.grid.located and self.ms_grid.located and not same:

            def convert(xs, ys):
                try:
                    return transform_points(self.ms_grid.crs, self.grid.crs, np.ravel(xs), np.ravel(ys))
                except (RasterioError, CPLE_BaseError) as error:
                    what = "nothing leads from the reference system of MS to that of PAN"
                    raise GeometryError(f"{what} ({reason(error)[:120]}): is one of the two damaged?") from None

        placement = place(self.grid, self.ms_grid, convert, dem)
        phase = _numbers(self.tags.get(PHASE, "")) if self._reduced else ()
        if len(phase) == 2 and not (self.grid.located and self.ms_grid.located):
            return replace(placement, phase=yx(phase), notes=())
        return placement

    def _open(self, path: str, virtual: Grid | None) -> rasterio.DatasetReader:
        """This thread's handle of a file, warped to a grid where one is given."""
        handles = self._local.__dict__.setdefault("handles", {})
        if path not in handles:
            dataset = opened = open_dataset(path, "input")
            if virtual is not None:
                dataset = _on_grid(dataset, virtual)
            handles[path] = dataset
            with self._lock:
                self._handles += [dataset, opened]
        return handles[path]

    def _virtual(self, path: str) -> Grid | None:
        """The grid a file of MS is warped to: PAN's axes, or the grid of the first MS file where it differs."""
        if self.placement.warp is not None:
            return self.placement.warp
        with open_dataset(path, "MS") as dataset:
            grid = grid_of(dataset)
        if _alike(grid, self.ms_grid) or not grid.located:
            if grid.size != self.ms_grid.size:
                raise InputError(
                    f"{path} has {grid.size[0]} x {grid.size[1]} pixels and no georeferencing, "
                    f"others {self.ms_grid.size[0]} x {self.ms_grid.size[1]}: expected the same"
                )
            return None
        return self.ms_grid

    def _read_pan(self, part: Core) -> tuple[np.ndarray, np.ndarray | None]:
        image, valid = self._read(self._open(self.pan_path, None), [self.pan_band], part)
        return (self._pan_units.physical(image) if self.physical else image), valid

    def _read_ms(self, part: Core) -> tuple[np.ndarray, np.ndarray | None]:
        """The bands of all files; valid is what all of them have."""
        image = np.empty((len(self.layers), part[1] - part[0], part[3] - part[2]), np.float32)
        valid: np.ndarray | None = None
        grids = self._local.__dict__.setdefault("virtual", {})
        for path in dict.fromkeys(layer.path for layer in self.layers):
            members = [k for k, layer in enumerate(self.layers) if layer.path == path]
            if path not in grids:
                grids[path] = self._virtual(path)
            dataset = self._open(path, grids[path])
            image[members], there = self._read(dataset, [self.layers[k].band for k in members], part)
            if there is not None:
                valid = there if valid is None else valid & there
        return (self.physical.physical(image) if self.physical else image), valid

    def _read(
        self, dataset: rasterio.DatasetReader, bands: list[int], core: Core
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Bands [C, H, W] in float32 and where all of them are valid [H, W] (None: everywhere)."""
        top, bottom, left, right = core
        part = Window(left, top, right - left, bottom - top)
        rules = self._local.__dict__.setdefault("validity", {})
        key = dataset.name, tuple(bands)
        try:
            image = dataset.read(bands, window=part, out_dtype="float32")
            if key not in rules:  # asking GDAL takes longer than reading a tile
                rules[key] = Validity.of(dataset, bands, self.nodata)
            valid = rules[key].mask(dataset, part, image)
        except (RasterioError, CPLE_BaseError) as error:
            raise unread(dataset.name, reason(error)) from None
        if valid is not None and dataset.name not in self._beyond:
            wild = np.isfinite(image) & (np.abs(image) >= HIGHEST)
            declared = [np.float32(v) for v in (*dataset.nodatavals, self.nodata) if v is not None and abs(v) < 3.4e38]
            wild &= ~np.isin(image, declared)
            if wild.any():
                self._beyond[dataset.name] = float(image[wild][0])
        return image, valid

    @property
    def seen(self) -> list[str]:
        """What a user should hear of the pixels that were read."""
        return [f"values such as {value:.3g} in {name} count as nodata" for name, value in self._beyond.items()]

    def read(self, core: Core, halo: int) -> Pair:
        """As `Windows.read`; `close` waits for it."""
        with self._in_use():
            return super().read(core, halo)

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        """While a thread reads, `close` waits: GDAL does not bear that a file goes away beneath it."""
        with self._idle:
            if self._closed:
                raise InputError("the scene was closed while it was read")
            self._readers += 1
        try:
            yield
        finally:
            with self._idle:
                self._readers -= 1
                self._idle.notify_all()

    @property
    def may_have_holes(self) -> bool:
        """Whether some pixel of the result may be nodata."""
        if self.covered(self.extent) is not None or self.nodata is not None:
            return True
        if "f" in (np.dtype(self.ms_dtype).kind, np.dtype(self.pan_dtype).kind):
            return True
        for path in self.paths:
            if path != self.pan_path and self._virtual(path) is not None:
                return True
            with open_dataset(path, "input") as dataset:
                if alpha_band(dataset):
                    return True
                masks = {MaskFlags.alpha} if is_infrared(dataset) else set()
                if any(not {MaskFlags.all_valid, *masks} & set(flags) for flags in dataset.mask_flag_enums):
                    return True
        return False

    def require_data(self, cores: Iterable[Core]) -> None:
        """InputError where in none of the windows, which cover the scene, a pixel is valid in both PAN and MS."""
        pan_seen = False
        for core in cores:
            pair = self.read(core, 0)
            if pair.pan_valid is None or pair.pan_valid.any():
                return
            _, valid = self._read_pan(core)
            pan_seen = pan_seen or valid is None or bool(valid.any())
        lack = f"MS ({self.layers[0].path}) has none where PAN has" if pan_seen else f"PAN ({self.pan_path}) has none"
        also = f" ({'; '.join(self.seen)})" if self.seen else ""
        raise InputError(f"there is nothing but nodata: expected valid pixels in PAN and MS at one place, {lack}{also}")

    def close(self) -> None:
        """Close the files, when no thread reads any more."""
        with self._idle:
            self._closed = True
            self._idle.wait_for(lambda: not self._readers)
        for handle in self._handles:
            with suppress(RasterioError):
                handle.close()
        self._handles.clear()


def _on_grid(dataset: rasterio.DatasetReader, grid: Grid) -> WarpedVRT:
    """A file resampled to another grid."""
    if is_infrared(dataset):
        raise InputError(
            f"band 4 of {dataset.name} holds values of a band and is marked as alpha, so that resampling it to PAN's "
            "axes would take it for a mask: mark it otherwise (gdal_edit.py -colorinterp_4 undefined) first"
        )
    has_nodata = dataset.nodata is not None
    return WarpedVRT(
        dataset,
        crs=grid.crs or dataset.crs,
        transform=grid.transform,
        height=grid.size[0],
        width=grid.size[1],
        resampling=Resampling.lanczos,
        nodata=dataset.nodata,
        XSCALE=1,  # else GDAL derives the width of its filter from every window that is read
        YSCALE=1,
        add_alpha=not has_nodata and ColorInterp.alpha not in dataset.colorinterp,
    )


def warped(image: np.ndarray, grid: Grid, other: Grid, nodata: float | None) -> np.ndarray:
    """An image [C, h, w] of a grid resampled to another as files are, in float32; NaN where it has no data."""
    profile = {"driver": "GTiff", "dtype": image.dtype, "nodata": nodata, "crs": grid.crs, "transform": grid.transform}
    size = dict(zip(("count", "height", "width"), image.shape))
    with rasterio.MemoryFile() as memory, sparing():
        with memory.open(**profile, **size, photometric="minisblack") as file:
            file.write(np.asarray(image))
        with memory.open() as file, _on_grid(file, other) as dataset:
            bands = list(range(1, len(image) + 1))
            result = dataset.read(bands, out_dtype="float32")
            valid = Validity.of(dataset, bands).mask(dataset, None, result)
    return result if valid is None else np.where(valid, result, np.float32("nan"))


def _refuse_complex(path: str, dtype: str) -> None:
    if dtype.startswith("complex"):
        raise InputError(f"{path} holds complex numbers ({dtype}): expected intensities")


def _numbers(text: str) -> tuple[float, ...]:
    """Those of a tag, parted by commas; none where it is anything else."""
    try:
        values = tuple(float(value) for value in text.split(","))
    except ValueError:
        return ()
    return values if np.isfinite(values).all() else ()


def _lasting(tags: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if not key.startswith(PASSING)}


def _alike(one: Grid, other: Grid) -> bool:
    return one.size == other.size and one.transform.almost_equals(other.transform, 1e-6)


def _all_tags(dataset: rasterio.DatasetReader) -> dict[str, str]:
    """Tags of every metadata domain, keys as `domain_key` beyond the first: GDAL parts a key at its first colon."""
    tags = dict(dataset.tags())
    for domain in ("IMD", "IMAGERY", "RPB"):
        with suppress(RasterioError):
            tags |= {f"{domain}_{key}": value for key, value in dataset.tags(ns=domain).items()}
    return tags


__all__ = ["GAIN", "PHASE", "PROTOCOL", "Layer", "Source", "grid_of", "open_dataset", "parse_layers", "sparing"]
