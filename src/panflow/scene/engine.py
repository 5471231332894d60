"""Whole scenes from files to a file, in bounded memory.

The scene is cut into a fixed lattice of blocks; a block is read with the method's halo, computed, and written
whole. Blocks never depend on how many are in flight, so the result is the same for every memory limit and number
of threads, bit by bit. What a method must know of the whole scene it learns in a first pass, over all blocks of a
small scene and over a seeded sample of a large one.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from math import ceil
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from threadpoolctl import threadpool_limits

from panflow import __version__, zoo
from panflow.errors import InputError
from panflow.files.sink import BLOCK, COMPRESSIONS, FORMATS, Sink, check_target
from panflow.files.source import Source, sparing
from panflow.files.tiff import Tile
from panflow.ops.cores import available
from panflow.ops.register import Registration
from panflow.ops.resample import STRIP, loops
from panflow.ops.window import Core, tiles
from panflow.scene.blocks import overlapped, spread
from panflow.scene.memory import peak_mib
from panflow.scene.offset import correct_shift
from panflow.scene.report import Report
from panflow.types import Pair, Sensor, Sharpener, yx

FIT_BLOCKS = 32  # blocks from which a larger scene is fitted
COMPILED = 50e6  # PAN pixels from which loading compiled loops pays
BASE_MIB = 250  # the interpreter and its libraries, as --max-memory counts them
TORCH_MIB = 200  # torch, where it is needed
T = TypeVar("T")
Progress = Callable[[str, int, int], None]  # stage, done, of how many blocks


def sharpen_file(
    pan: str | Path,
    ms: str | Path | list[str | Path],
    out: str | Path,
    *,
    method: str | Path | Sharpener | None = None,
    sensor: str | Sensor = "auto",
    bands: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
    register: str | tuple[float, float] = "auto",
    nodata: float | None = None,
    dtype: str | None = None,
    format: str | None = None,
    compress: str = "zstd",
    level: int | None = None,
    overviews: bool | None = None,
    jobs: int | None = None,
    max_memory: float | None = None,
    device: str = "auto",
    context: int | None = None,
    runtime: str = "auto",
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Sharpen MS by PAN from files to a georeferenced file on the PAN grid; returns the run's report.

    pan: a file; ms: files or `file,band=n` picks; method: a name, a model file or a sharpener; sensor: a name or
    "auto"; bands: names of the MS bands, where the files' own do not tell; tags: what a scene's metadata say of the
    sensor; register: "auto" corrects a confident offset of MS, "off" trusts the georeferencing, (dy, dx) PAN pixels
    sets it; nodata: a value that counts as nodata besides what the files declare; dtype: of the result (None: as
    MS); format: "cog" (None, where the name ends in .tif) or "gtiff"; compress: none, deflate, zstd, lzw or lerc;
    level: how hard zstd or deflate try; overviews: None, only in a COG; jobs: threads; max_memory: MiB; device: where
    a learned model computes ("auto", "cpu", "cuda", "mps"); context: PAN pixels around a tile for a network that looks
    at the whole image, instead of the whole image at once; runtime: who asks a network on a CPU, a name of
    `panflow names runtimes` or "auto", the fastest that keeps the quality; seed: of the noise of samplers.

    Raises InputError, GeometryError, UnknownName, OutputError. Until the result is whole, `out` is not touched.
    """
    started = time.perf_counter()
    out, inputs = Path(out), [str(m) for m in (ms if isinstance(ms, (list, tuple)) else [ms])]
    format = _one_of("format", format or ("cog" if out.suffix.lower() in (".tif", ".tiff") else "gtiff"), FORMATS)
    compress = _one_of("compress", compress.lower(), COMPRESSIONS)
    check_target(out, [str(pan), *(m.rpartition(",band=")[0] or m for m in inputs)], overwrite)
    jobs = jobs or available()
    if callable(method):
        sharpener = method
    else:
        sharpener = zoo.load(method, device=device, context=context, seed=seed, runtime=runtime)
    source = Source(str(pan), inputs, sensor, nodata, bands, tags)
    try:
        with sparing(*source.paths, GDAL_TIFF_INTERNAL_MASK=True), threadpool_limits(limits=1):
            if source.size[0] * source.size[1] >= COMPILED:
                with suppress(ImportError):  # an extra
                    importlib.import_module("panflow.ops.compiled")
            lattice = tiles(source.size, BLOCK)
            source.require_data([*spread(lattice, FIT_BLOCKS), *lattice])
            found, applied, warnings = correct_shift(source, register, jobs)
            scene = _Scene(source, spread(lattice, FIT_BLOCKS), sharpener.halo(source.placement.ratio), jobs, progress)
            sharpener = sharpener.fit(scene)
            halo = sharpener.halo(source.placement.ratio)
            side = BLOCK * _blocks(sharpener, source.size) if halo is not None else max(source.size)
            blocks = tiles(source.size, side)
            warnings += _tiling(sharpener, halo)
            flight, tight = _in_flight(sharpener, source, side, halo or 0, jobs, max_memory)
            warnings += tight
            kind = _kind(dtype or source.ms_dtype)
            absent = _absent(source, kind)
            name = str(method) if isinstance(method, (str, Path)) else zoo.DEFAULT if method is None else "custom"
            clipped = holes = 0
            with Sink(
                out,
                size=source.size,
                bands=source.bands,
                dtype=kind.name,
                transform=source.grid.transform,
                crs=source.grid.crs,
                nodata=absent,
                mask=absent is None and source.may_have_holes,
                format=format,
                compress=compress,
                level=level,
                overviews=format == "cog" if overviews is None else overviews,
                jobs=jobs,
                block=BLOCK,
            ) as sink:
                sink.describe(
                    names=source.names,
                    colors=source.colors,
                    scales=source.scales,
                    offsets=source.offsets,
                    units=source.units,
                    tags=_provenance(source, name, found, applied, [str(pan), *inputs]),
                )

                def work(core: Core) -> tuple[Core, np.ndarray | list[Tile], np.ndarray | None, int]:
                    pair = source.read(core, halo or 0)
                    image, valid, over = _cast(_own(sharpener(pair), pair), _own_mask(pair), kind, absent)
                    return core, sink.pack(core, image), valid, over

                if progress:
                    progress("sharpen", 0, len(blocks))
                for done, (core, packed, valid, over) in enumerate(overlapped(work, blocks, jobs, flight), 1):
                    sink.write(core, packed, valid)
                    clipped += over
                    holes += 0 if valid is None else int(valid.size - valid.sum())
                    if progress:
                        progress("sharpen", done, len(blocks))
                if progress:
                    progress("finish", 0, 1)
                sink.finish()
    finally:
        source.close()
    seconds, pixels = time.perf_counter() - started, source.size[0] * source.size[1]
    return Report(
        output=str(out),
        sensor=source.sensor.name,
        method=name,
        ratio=source.placement.ratio,
        phase=_mean(source.phase),
        shift_pixels=found.shift,
        shift_applied=applied,
        shift_confidence=found.confidence,
        fit_r2=(found.r2_before, found.r2_after),
        band_shifts=list(found.band_shifts) if applied else [],
        clipped_pixels=clipped,
        nodata_pixels=holes,
        pixels=pixels,
        seconds=seconds,
        mpix_per_second=pixels / 1e6 / seconds,
        peak_mib=peak_mib(),
        sensor_reason="" if source.why == "given" else source.why,
        evaluations=sharpener.evaluations,
        mtf_gains=list(sharpener.observed.gains) if sharpener.observed else [],
        warnings=[*source.placement.notes, *source.notes, *warnings],
    )


def _one_of(what: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise InputError(f"{what} {value!r} is unknown: expected {', '.join(allowed)}")
    return value


def _kind(dtype: str) -> np.dtype:
    """The type of the result's pixels."""
    known = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
    return np.dtype(_one_of("dtype", dtype, known))


def _mean(phase: tuple) -> tuple[float, float]:
    return yx(float(v) for v in np.mean(phase, axis=0))


def _blocks(sharpener: Sharpener, size: tuple[int, int]) -> int:
    """Blocks of the file that a tile has on a side: more for what costs much around a tile, where there are many."""
    return 2 if sharpener.costly and min(size) >= 4 * BLOCK else 1


def _in_flight(
    sharpener: Sharpener, source: Source, side: int, halo: int, jobs: int, max_memory: float | None
) -> tuple[int, list[str]]:
    """How many tiles may be in work at once under a limit in MiB."""
    side = min(side + 2 * halo, max(source.size))
    base, tile = BASE_MIB, side * side * 4 * (6 * source.bands + 8) / 2**20
    tile += sharpener.memory(source.bands, source.placement.ratio)
    if sharpener.evaluations:
        base += TORCH_MIB
    if max_memory is None:
        return 2 * jobs, []
    flight = int((max_memory - base) / tile)
    if flight >= 1:
        return min(flight, 2 * jobs), []
    need = ceil(base + tile)
    return 1, [f"--max-memory {max_memory:g} is less than one block needs: about {need} MiB are used"]


def _tiling(sharpener: Sharpener, halo: int | None) -> list[str]:
    """What a user should know of a sharpener that looks at the whole image."""
    if halo is None:
        return ["the method looks at the whole image, so memory grows with the scene (--context N tiles a network)"]
    if sharpener.depends_on_tiles:
        return ["the network looks at the whole image: cut into tiles, its result depends on them"]
    return []


class _Scene:
    """The pairs that a sharpener is fitted on, as often as it likes: read ahead by one, or worked on by threads."""

    def __init__(self, source: Source, cores: list[Core], halo: int | None, jobs: int, progress: Progress | None):
        whole = (0, source.size[0], 0, source.size[1])
        self.source, self.cores, self.halo = source, cores if halo is not None else [whole], halo or 0
        self.jobs, self.progress = jobs, progress

    def __iter__(self) -> Iterator[Pair]:
        return self._told(overlapped(self._pair, self.cores, 1, 2))

    def each(self, function: Callable[[Pair], T]) -> Iterator[T]:
        """A function of every pair, in order."""
        return self._told(overlapped(lambda core: function(self._pair(core)), self.cores, self.jobs, self.jobs + 1))

    def _pair(self, core: Core) -> Pair:
        return self.source.read(core, self.halo)

    def _told(self, items: Iterator[T]) -> Iterator[T]:
        if self.progress:
            self.progress("fit", 0, len(self.cores))
        for done, item in enumerate(items, 1):
            yield item
            if self.progress:
                self.progress("fit", done, len(self.cores))


def _own(image: Any, pair: Pair) -> np.ndarray:
    """The part [C, H, W] of an image [1, C, H, W] that is the pair's own."""
    top, bottom, left, right = cast(Core, pair.core)
    return np.asarray(image)[0, :, top:bottom, left:right]


def _own_mask(pair: Pair) -> np.ndarray | None:
    if pair.pan_valid is None:
        return None
    valid = _own(pair.pan_valid, pair)[0]
    return None if valid.all() else valid


def _absent(source: Source, kind: np.dtype) -> float | None:
    """The nodata value of the result: MS's, where the result's type can hold it; NaN for floats with holes."""
    value = source.ms_nodata if source.ms_nodata is not None else source.nodata
    if kind.kind == "f":
        held = value is not None and not abs(value) > float(np.finfo(kind).max)
        return value if held else (float("nan") if source.may_have_holes else None)
    if value is None or not np.isfinite(value) or value != int(value):
        return None
    info = np.iinfo(kind)
    return value if info.min <= value <= info.max else None


def _cast(
    image: np.ndarray, valid: np.ndarray | None, kind: np.dtype, absent: float | None
) -> tuple[np.ndarray, np.ndarray | None, int]:
    """Rounded and saturated to the result's type; valid pixels never equal nodata. Also: how many were clipped."""
    if kind.kind == "f":
        result, clipped = image.astype(kind), 0
        hole = kind.type(0 if absent is None else absent)
        if absent is not None:
            gap = max(abs(hole) * kind.type(1e-6), np.finfo(kind).tiny)  # GDAL takes neighbouring floats for equal
            np.putmask(result, np.abs(result - hole) < gap, hole + gap if hole <= 0 else hole - gap)
    else:
        result, clipped = np.empty(image.shape, kind), 0
        if loops() and kind.kind == "u" and kind.itemsize <= 2 and image.dtype == np.float32 and valid is None:
            clipped = loops().rounded(np.ascontiguousarray(image), np.float32(np.iinfo(kind).max), result)
        else:
            for top in range(0, image.shape[1], STRIP):
                rows = slice(top, top + STRIP)
                clipped += _round(image[:, rows], None if valid is None else valid[rows], result[:, rows])
        hole = 0 if absent is None else absent
        if absent is not None:
            other = absent + 1 if absent < np.iinfo(kind).max else absent - 1
            np.putmask(result, result == kind.type(absent), kind.type(other))
    if valid is not None:
        result[:, ~valid] = kind.type(hole)
    return result, valid, clipped


def _round(image: np.ndarray, valid: np.ndarray | None, result: np.ndarray) -> int:
    """Into `result`, of an integer type; how many valid pixels were clipped."""
    info = np.iinfo(result.dtype)
    if result.itemsize > 2:  # the limits are no float32 numbers, and a saturated value would wrap around in the cast
        image = image.astype(np.float64)
    rounded = np.rint(image)
    low, high, outside = rounded.min(), rounded.max(), 0
    if not (low >= info.min and high <= info.max):
        beyond = ~((rounded >= info.min) & (rounded <= info.max)).all(axis=0)
        outside = int((beyond if valid is None else beyond & valid).sum())
        if np.isnan(low):
            rounded = np.nan_to_num(rounded)
        np.clip(rounded, info.min, info.max, out=rounded)
    result[:] = rounded
    return outside


def _provenance(source: Source, method: str, found: Registration, applied: bool, inputs: list[str]) -> dict[str, str]:
    tags = {
        "TIFFTAG_SOFTWARE": f"panflow {__version__}",
        "PANFLOW_METHOD": method,
        "PANFLOW_SENSOR": source.sensor.name,
        "PANFLOW_INPUTS": "; ".join(Path(path).name for path in inputs),
        "PANFLOW_PHASE": ", ".join(f"{v:.3f}" for v in _mean(source.phase)),
        "PANFLOW_SHIFT": ", ".join(f"{v:+.3f}" for v in found.shift) + (" corrected" if applied else " measured only"),
    }
    kept = ("ACQUISITION", "SATELLITE", "SENSOR", "DATE", "CLOUD")
    return {k: v for k, v in source.tags.items() if any(word in k.upper() for word in kept)} | tags


__all__ = ["sharpen_file"]
