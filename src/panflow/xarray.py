"""Scenes that are xarray's: `import panflow.xarray`, then `pan.panflow.sharpen(ms)`.

PAN is a DataArray with rows and columns as its last axes, MS one with bands before them, or a Dataset of bands. The
coordinates (or the transform that rioxarray keeps in `spatial_ref`) say where both lie, as georeferencing does in
files, and the result has the bits of `panflow.sharpen_file`. NumPy gives NumPy; where PAN or MS is dask's, so is the
result: a block is computed from the blocks under it when it is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.warp import transform as transform_points
from threadpoolctl import threadpool_limits

from panflow import __version__, sensors, zoo
from panflow.errors import GeometryError, InputError
from panflow.files.grid import Grid, Placement, place
from panflow.files.source import warped
from panflow.files.units import Units, chosen
from panflow.files.validity import Validity
from panflow.ops.cores import available
from panflow.ops.memory import keep_freed
from panflow.ops.mtf import Choice as MTFChoice
from panflow.ops.resample import REACH
from panflow.ops.window import Core, grown, ms_window, within
from panflow.ops.window import windows as spread_windows
from panflow.pairs import Read, Windows, phase_of
from panflow.scene import engine
from panflow.scene.counts import counts, nodata_in
from panflow.scene.opening import given, settled
from panflow.types import YX, Array, Sensor, Sharpener

ROWS, COLUMNS = ("y", "latitude", "lat"), ("x", "longitude", "lon")
DATES = "time"
LOCAL = CRS.from_wkt('LOCAL_CS["plane",UNIT["metre",1]]')
REGULAR = 1e-3  # pixels by which a coordinate may lie beside its place


@xarray.register_dataarray_accessor("panflow")
class Accessor:
    """`pan.panflow`, of a DataArray that is PAN."""

    def __init__(self, pan: xarray.DataArray):
        self._pan = pan

    def sharpen(self, ms: xarray.DataArray | xarray.Dataset, **options: Any) -> Any:
        """`panflow.xarray.sharpen`."""
        return sharpen(self._pan, ms, **options)


def sharpen(
    pan: xarray.DataArray,
    ms: xarray.DataArray | xarray.Dataset,
    *,
    method: str | Path | Sharpener | None = None,
    sensor: str | Sensor = "auto",
    register: str | YX = "off",
    phase: Any = None,
    mtf: MTFChoice = "auto",
    nodata: float | None = None,
    dtype: str | None = None,
    units: str = "auto",
    **options: Any,
) -> Any:
    """MS sharpened by PAN, on PAN's grid: a DataArray, or a Dataset of bands where MS is one.

    method, sensor, mtf, nodata, units, options: as for `panflow.sharpen_file`; register: "off" trusts the coordinates,
    "auto" corrects a confident offset, which takes a pass over a sample of the scene at once, (dy, dx) PAN pixels sets
    it; phase: where the coordinates say nothing, that of `panflow.sharpen` (None: the corners are shared), and instead
    of them where it is given; dtype: of the result (None: MS's). Dates (an axis `time`) are sharpened each by itself.

    MS in another reference system, or turned against PAN, is resampled to PAN's axes first, whole. Raises InputError,
    GeometryError or UnknownName.
    """
    asked: dict[str, Any] = {"method": method, "sensor": sensor, "register": register, "phase": phase, "mtf": mtf}
    asked |= {"nodata": nodata, "dtype": dtype, "units": units, **options}
    if isinstance(ms, xarray.Dataset):
        bands = {name: band for name, band in ms.data_vars.items() if _axes(band)}
        return _parted(sharpen(pan, _stacked(ms, bands), **asked), bands)
    if DATES in pan.dims or DATES in ms.dims:
        return _each_date(pan, ms, partial(sharpen, **asked))
    mtf = "raised" if options.get("detail") == "ms" and mtf == "auto" else mtf
    scene = _Scene.of(pan, ms, sensor, nodata, phase, units)
    sharpener = method if callable(method) else zoo.load(method, **{"runtime": "auto", **options})
    kind = np.dtype(dtype or ms.dtype)
    absent = nodata_in(kind, scene.declared, scene.may_have_holes)
    if any(hasattr(each.data, "dask") for each in (pan, ms)):
        image = _lazy(scene, sharpener, register, mtf, kind, absent)
    else:
        image = _now(scene, sharpener, register, mtf, kind, absent)
    about = {"panflow_version": __version__, "panflow_sensor": scene.sensor.name}
    about["panflow_method"] = zoo.DEFAULT if method is None else method if isinstance(method, str) else "custom"
    return _like(image, pan, ms, absent, about)


def _stacked(ms: xarray.Dataset, bands: dict[Any, xarray.DataArray]) -> xarray.DataArray:
    """The bands of a Dataset as one array, with what each of them says of its values."""
    absent = {_nodata(band) for band in bands.values()}
    if len(absent) != 1:
        what = f"bands with {len(absent)} values of nodata ({', '.join(map(str, absent))})" if bands else "no images"
        raise InputError(f"ms is a Dataset of {what}: expected variables with y and x, and one value of nodata for all")
    stacked = ms[list(bands)].to_dataarray("band").assign_attrs(next(iter(bands.values())).attrs | ms.attrs)
    for several, one in (("scales", "scale_factor"), ("offsets", "add_offset")):
        if any(one in band.attrs for band in bands.values()):
            neutral = float(one == "scale_factor")
            stacked.attrs[several] = tuple(float(band.attrs.get(one, neutral)) for band in bands.values())
    declared = absent.pop()
    return stacked if declared is None else stacked.assign_attrs(_FillValue=declared)


def _parted(fused: xarray.DataArray, bands: dict[Any, xarray.DataArray]) -> xarray.Dataset:
    """A result as a Dataset, whose bands keep their attributes."""
    result = fused.to_dataset("band")
    ours = {key: value for key, value in fused.attrs.items() if key == "_FillValue" or key.startswith("panflow_")}
    for name, band in bands.items():
        result[name].attrs = {key: value for key, value in band.attrs.items() if key != "_FillValue"} | ours
    return result


@dataclass(frozen=True)
class _Scene:
    """pan [1, H, W] and ms [C, h, w], NumPy's or dask's; what is nodata in each; where MS lies; declared: MS's value of
    nodata."""

    pan: Array
    ms: Array
    pan_rule: Validity
    ms_rule: Validity
    placement: Placement
    size: tuple[int, int]
    ms_size: tuple[int, int]
    phase: tuple[YX, ...]
    sensor: Sensor
    declared: float | None
    pan_units: Units | None = None  # None: counts
    units: Units | None = None

    @classmethod
    def of(
        cls,
        pan: xarray.DataArray,
        ms: xarray.DataArray,
        sensor: str | Sensor,
        nodata: float | None,
        phase: Any,
        units: str,
    ) -> _Scene:
        pan, ms = _ordered(pan, "pan"), _ordered(ms, "ms")
        fine, coarse, bands = _grid(pan), _grid(ms), ms.shape[0]
        crs = fine.crs or coarse.crs or LOCAL  # coordinates without a reference system are those of the other
        fine, coarse = (replace(grid, crs=grid.crs or crs) for grid in (fine, coarse))
        convert = None
        if fine.located and coarse.located and fine.crs != coarse.crs:
            convert = partial(transform_points, coarse.crs, fine.crs)
        placement = place(fine, coarse, convert)
        if phase is not None:
            placement = replace(placement, phase=phase_of(phase, placement.ratio, 1)[0])
        declared = [_nodata(pan), _nodata(ms)]
        rules = [
            Validity((tuple(v for v in (value, nodata) if v is not None),) * count, (), None, each.dtype.kind == "f")
            for value, count, each in zip(declared, (1, bands), (pan, ms))
        ]
        data, size = ms.data, coarse.size
        if placement.warp is not None:
            data, size = _to_axes(data, coarse, placement.warp, declared[1]), placement.warp.size
            rules[1] = replace(rules[1], floats=True)
        if not isinstance(sensor, Sensor):
            sensor = _sensor(sensor, pan, ms, placement.ratio)
        phases = (placement.phase,) * bands
        either = declared[1] if declared[1] is not None else nodata
        fine_units, tagged = _units(pan), _units(ms)
        own = chosen(units, fine_units, tagged.scales, tagged.offsets)
        place_and_sensor = placement, fine.size, size, phases, sensor
        return cls(pan.data, data, rules[0], rules[1], *place_and_sensor, either, own and fine_units, own)

    @property
    def may_have_holes(self) -> bool:
        rules = any(any(rule.values) or rule.floats for rule in (self.pan_rule, self.ms_rule))
        return rules or self.windows([], []).covered((0, self.size[0], 0, self.size[1])) is not None

    def windows(self, pan: _Cuts, ms: _Cuts) -> Windows:
        """Windows of the scene from parts of its arrays."""
        reads = _read(pan, self.pan_rule, self.pan_units), _read(ms, self.ms_rule, self.units)
        placed = (self.placement.phase,) * len(self.phase)  # says what MS covers, wherever it is registered to
        windows = Windows(*reads, self.size, self.ms_size, self.placement.ratio, placed, self.sensor)
        windows.phase = self.phase
        return windows

    def counts(self, image: np.ndarray, valid: np.ndarray | None, kind: np.dtype, absent: float | None) -> np.ndarray:
        """A tile of the result in its type."""
        return counts(self.units.counts(image) if self.units else image, valid, kind, absent)[0]

    def cut(self, core: Core, halo: int) -> tuple[_Cut, _Cut]:
        """What `Windows.read(core, halo)` looks at, nodata or not, of PAN and MS."""
        further = max(halo, int(np.ceil((REACH + 1) * max(self.placement.ratio))))
        outer = grown(core, halo + 2 * further, self.size)  # twice: a registration moves MS afterwards
        part, _ = ms_window(outer, self.phase, self.placement.ratio, self.ms_size)
        return (outer, _part(self.pan, outer)), (part, _part(self.ms, part))

    @property
    def without_arrays(self) -> _Scene:
        return replace(self, pan=None, ms=None)


_Cut = tuple[Core, Array]  # a window of a grid, and its pixels
_Cuts = Sequence[_Cut]


def _part(image: Array, core: Core) -> Array:
    return image[..., core[0] : core[1], core[2] : core[3]]


def _read(cuts: _Cuts, rule: Validity, units: Units | None) -> Read:
    """A function of a window that lies in one of the cuts."""

    def read(core: Core) -> tuple[np.ndarray, np.ndarray | None]:
        place, image = next(cut for cut in cuts if within(core, cut[0]) == core)
        top, left = place[0], place[2]
        inside = _part(image, (core[0] - top, core[1] - top, core[2] - left, core[3] - left))
        inside = np.asarray(inside).astype(np.float32, copy=False)
        valid = rule.mask(None, None, inside)
        return (units.physical(inside) if units else inside), valid

    return read


def _prepared(
    scene: _Scene, pan: _Cuts, ms: _Cuts, sharpener: Sharpener, register: str | YX, mtf: MTFChoice, jobs: int = 1
) -> tuple[Sharpener, tuple[YX, ...], Sensor]:
    """The sharpener, fitted to what was cut from the scene, the bands' phase and the sensor with the scene's MTF."""
    windows = scene.windows(pan, ms)
    with threadpool_limits(limits=1):
        settled(windows, register, mtf, jobs, sharpener.uses_mtf)
        fitted = engine.fit([(windows, windows.extent)], sharpener, jobs)
    return fitted, windows.phase, windows.sensor


def _now(
    scene: _Scene, sharpener: Sharpener, register: str | YX, mtf: MTFChoice, kind: np.dtype, absent: float | None
) -> np.ndarray:
    """The result [C, H, W] of arrays in memory."""
    jobs = available()
    pan, ms = ([((0, *each.shape[1:2], 0, each.shape[2]), each)] for each in (scene.pan, scene.ms))
    fitted, phase, sensor = _prepared(scene, pan, ms, sharpener, register, mtf, jobs)
    windows = replace(scene, phase=phase, sensor=sensor).windows(pan, ms)
    result = np.empty((len(phase), *scene.size), kind)

    def work(core: Core, image: np.ndarray, valid: np.ndarray | None, _: engine.Tile) -> None:
        _part(result, core)[...] = scene.counts(image, valid, kind, absent)

    with threadpool_limits(limits=1):
        for _ in engine.planned(windows, fitted, jobs).each(work):
            pass
    return result


def _lazy(
    scene: _Scene, sharpener: Sharpener, register: str | YX, mtf: MTFChoice, kind: np.dtype, absent: float | None
) -> Array:
    """The result as dask's array: one task prepares, one for every tile sharpens."""
    from dask import array as dask_array
    from dask import delayed

    bare, windows = scene.without_arrays, scene.windows([], [])
    if not isinstance(register, str):
        windows.phase = given(register).phases(windows.phase)
        scene, bare = (replace(each, phase=windows.phase) for each in (scene, bare))
        register = 0.0, 0.0
    halo = engine.halo_of(windows, sharpener)
    sampled = [(core, 0) for core in spread_windows(scene.size, scene.ms_size, scene.placement.ratio)]
    fitted_on = [windows.extent] if halo is None else engine.sample(windows.extent)
    cuts = [scene.cut(core, each) for core, each in (*sampled, *((core, halo or 0) for core in fitted_on))]
    pan, ms = ([cut[k] for cut in cuts] for k in (0, 1))
    ready = delayed(_prepared, pure=False)(bare, pan, ms, sharpener, register, mtf)
    if register != "off" and isinstance(register, str):  # which pixels of MS lie under a tile depends on it
        ready = ready.compute()
        scene, bare = (replace(each, phase=ready[1]) for each in (scene, bare))
    planned = engine.planned(windows, sharpener, 1)
    later: Any = None
    run = replace(planned, windows=later, sharpener=later, tiles=[])  # what a task is sent: it knows them
    sharpened = delayed(_sharpened, pure=False)
    rows: dict[int, list] = {}
    for core in planned.tiles:
        cut = scene.cut(core, run.halo or 0)
        block = sharpened(bare, run, core, cut[0], cut[1], ready, kind, absent)
        shape = len(scene.phase), core[1] - core[0], core[3] - core[2]
        rows.setdefault(core[0], []).append(dask_array.from_delayed(block, shape, kind))
    return dask_array.block(list(rows.values()))


def _sharpened(
    scene: _Scene,
    run: engine.Run,
    core: Core,
    pan: _Cut,
    ms: _Cut,
    ready: tuple[Sharpener, tuple[YX, ...], Sensor],
    kind: np.dtype,
    absent: float | None,
) -> np.ndarray:
    """A tile of the result."""
    if "MALLOC_TRIM_THRESHOLD_" in os.environ:  # dask has it hand every image back to the system: twice the time
        keep_freed()
    fitted, phase, sensor = ready
    windows = replace(scene, phase=phase, sensor=sensor).windows([pan], [ms])
    with threadpool_limits(limits=1):
        run = replace(run, windows=windows, sharpener=fitted)
        return run.tile(core, lambda _core, image, valid, _tile: scene.counts(image, valid, kind, absent))


def _to_axes(ms: Array, grid: Grid, warp: Grid, nodata: float | None) -> Array:
    """MS [C, h, w] resampled to PAN's axes in float32, NaN where it has no data."""
    if not hasattr(ms, "dask"):
        return warped(ms, grid, warp, nodata)
    from dask import array, delayed

    return array.from_delayed(delayed(warped)(ms, grid, warp, nodata), (len(ms), *warp.size), np.float32)


def _ordered(image: xarray.DataArray, name: str) -> xarray.DataArray:
    """[bands, rows, columns] of an image; of PAN with one band."""
    axes = _axes(image)
    if axes is None:
        raise InputError(f"{name} has the axes {', '.join(map(str, image.dims))}: expected y and x among them")
    others = [dim for dim in image.dims if dim not in axes]
    if len(others) > 1 or (name == "pan" and others and image.sizes[others[0]] != 1):
        expected = "rows and columns, perhaps one band" if name == "pan" else "bands, rows and columns"
        raise InputError(f"{name} has {dict(image.sizes)}: expected {expected}")
    if not others:
        image, others = image.expand_dims("band"), ["band"]
    return image.transpose(others[0], *axes)


def _axes(image: xarray.DataArray) -> tuple[str, str] | None:
    """The names of rows and columns."""
    found = [next((name for name in names if name in image.dims), None) for names in (ROWS, COLUMNS)]
    return (str(found[0]), str(found[1])) if None not in found else None


def _grid(image: xarray.DataArray) -> Grid:
    """Where the pixels lie: by their coordinates, else by the transform that `spatial_ref` holds."""
    reference = image.coords.get(image.encoding.get("grid_mapping", "spatial_ref"))
    about = {} if reference is None else reference.attrs
    crs = None
    with suppress(CRSError):
        crs = CRS.from_user_input(about.get("crs_wkt") or about.get("spatial_ref") or None)
    y, x = image.dims[-2:]
    size = image.shape[-2], image.shape[-1]
    kept = None
    if "GeoTransform" in about:
        kept = Affine.from_gdal(*(float(v) for v in str(about["GeoTransform"]).split()))
    transform = kept or Affine.identity()
    if y in image.coords and x in image.coords and min(size) > 1:
        (top, down), (left, right) = (_regular(image.coords[dim]) for dim in (y, x))
        transform = Affine(right, 0, left - right / 2, 0, down, top - down / 2)
        transform = (kept and _exact(transform, kept, size)) or transform
    return Grid(transform, crs, size)


def _exact(rounded: Affine, kept: Affine, size: tuple[int, int]) -> Affine | None:
    """The transform of a file, moved by whole pixels to where coordinates say an image begins, which were rounded when
    they were made of it; None where they say otherwise."""
    between = ~kept * rounded
    row, column = round(between.f), round(between.c)
    ends = (between * corner for corner in ((0, 0), (size[1], size[0])))
    wanted = (column, row), (column + size[1], row + size[0])
    agree = np.abs(np.subtract(list(ends), wanted)).max() < REGULAR
    return kept * Affine.translation(column, row) if agree else None


def _regular(coordinate: xarray.DataArray) -> tuple[float, float]:
    """First and step of evenly spaced coordinates."""
    values = coordinate.values.astype(np.float64)
    step = (values[-1] - values[0]) / (len(values) - 1)
    if not step or np.abs(values[0] + step * np.arange(len(values)) - values).max() > REGULAR * abs(step):
        raise GeometryError(f"the coordinate {coordinate.name} is not evenly spaced: expected a regular grid")
    return values[0], float(f"{step:.10g}")  # the rest is rounding of the coordinates


def _nodata(image: xarray.DataArray) -> float | None:
    """The value that stands for no data, where one is declared; NaN does anyway. What the encoding of floats declares
    is in the file: in memory it is NaN by now."""
    for about in (image.attrs, *([image.encoding] if image.dtype.kind != "f" else [])):
        for key in ("_FillValue", "nodata", "missing_value"):
            if about.get(key) is not None:
                return float(about[key])
    return None


def _units(image: xarray.DataArray) -> Units:
    """Scale and offset of every band, as rioxarray keeps those of files."""
    about = image.attrs
    bands = image.shape[0]
    scales = np.broadcast_to(about.get("scales", about.get("scale_factor", 1.0)), bands)
    offsets = np.broadcast_to(about.get("offsets", about.get("add_offset", 0.0)), bands)
    return Units(tuple(map(float, scales)), tuple(map(float, offsets)))


def _sensor(name: str, pan: xarray.DataArray, ms: xarray.DataArray, ratio: YX) -> Sensor:
    """The sensor with the bands of MS."""
    names = _names(ms)
    if name != "auto":
        return sensors.fit_bands(sensors.load(name), len(names), names)
    tags = {str(key): str(value) for key, value in {**pan.attrs, **ms.attrs}.items()}
    path = str(ms.encoding.get("source", ""))
    return sensors.guess(tags, len(names), float(np.mean(ratio)), names, path)[0]


def _names(ms: xarray.DataArray) -> list[str]:
    named = ms.attrs.get("long_name")
    if isinstance(named, (tuple, list)) and len(named) == len(ms):
        return list(named)
    values = ms.coords[ms.dims[0]].values if ms.dims[0] in ms.coords else []
    return [value if isinstance(value, str) else "" for value in values] or [""] * len(ms)


def _each_date(pan: xarray.DataArray, ms: xarray.DataArray, sharpened: Any) -> xarray.DataArray:
    """One date after the other, each fitted by itself."""
    if DATES not in pan.dims or DATES not in ms.dims or pan.sizes[DATES] != ms.sizes[DATES]:
        raise InputError(f"pan has {dict(pan.sizes)} and ms {dict(ms.sizes)}: expected the same dates in both")
    if DATES in pan.coords and DATES in ms.coords and not np.array_equal(pan[DATES], ms[DATES]):
        raise InputError("pan and ms have other dates: expected the same in both; ms.reindex or assign_coords help")
    dates = [sharpened(pan.isel({DATES: k}), ms.isel({DATES: k})) for k in range(pan.sizes[DATES])]
    return xarray.concat(dates, dim=pan[DATES] if DATES in pan.coords else DATES)


def _like(
    image: Array, pan: xarray.DataArray, ms: xarray.DataArray, absent: float | None, about: dict[str, str]
) -> xarray.DataArray:
    """The result with PAN's place on the ground and MS's bands and attributes."""
    ordered, placed = _ordered(ms, "ms"), _ordered(pan, "pan")
    band, axes = ordered.dims[0], placed.dims[-2:]
    coords = {name: value for name, value in placed.coords.items() if set(value.dims) <= set(axes)}
    coords |= {name: value for name, value in ordered.coords.items() if set(value.dims) == {band}}
    coords.pop("band" if band != "band" else "", None)
    attrs = {key: value for key, value in ms.attrs.items() if key != "_FillValue"} | about
    if absent is not None:
        attrs["_FillValue"] = absent
    result = xarray.DataArray(image, dims=(band, *axes), coords=coords, attrs=attrs, name=ms.name)
    if "grid_mapping" in pan.encoding:
        result.encoding["grid_mapping"] = pan.encoding["grid_mapping"]
    return result


__all__ = ["sharpen"]
