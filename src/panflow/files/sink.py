"""The result's file: written block by block beside the target, and renamed when it is whole."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from rasterio._err import CPLE_BaseError
from rasterio.drivers import raster_driver_extensions
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.windows import Window

from panflow.errors import InputError, OutputError
from panflow.files.grid import Grid
from panflow.files.output import Output, reason
from panflow.files.resume import Block, Resumable, removed
from panflow.files.tiff import Tile, Tiles, encode
from panflow.ops.window import Core

BLOCK = 512
COMPRESSIONS = ("none", "deflate", "zstd", "lzw", "lerc")
FORMATS = ("cog", "gtiff")
DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
LEVELS = {"zstd": ("zstd_level", 3, 22), "deflate": ("zlevel", 6, 9)}  # option, default, highest


@dataclass(frozen=True)
class Profile:
    """How a result is written.

    dtype: of its pixels (None: as MS); format: "cog" (None, where the name ends in .tif) or "gtiff"; compress: none,
    deflate, zstd, lzw or lerc; level: how hard zstd or deflate try; overviews: None, only in a COG; write: which bands,
    by name, role or number, in this order (none: all).
    """

    dtype: str | None = None
    format: str | None = None
    compress: str = "zstd"
    level: int | None = None
    overviews: bool | None = None
    write: str | Sequence[str] = ()

    def settled(self, out: Path) -> Profile:
        """What is left open, decided by the file's name. Raises InputError where a value is unknown, or where the name
        promises another format."""
        formats = raster_driver_extensions() | {"zarr": "Zarr", "h5": "HDF5", "hdf": "HDF4"}
        promised = formats.get(out.suffix.lower().removeprefix("."), "GTiff")
        if promised not in ("GTiff", "COG"):
            raise InputError(f"{out.name} is the name of a {promised} file: expected .tif, as panflow writes GeoTIFF")
        usual = "cog" if out.suffix.lower() in (".tif", ".tiff") else "gtiff"
        format = _one_of("format", self.format or usual, FORMATS)
        compress = _one_of("compress", self.compress.lower(), COMPRESSIONS)
        _level(compress, self.level)
        overviews = format == "cog" if self.overviews is None else self.overviews
        return replace(self, format=format, compress=compress, overviews=overviews)

    def pixels(self, dtype: str) -> np.dtype:
        """The type of the result's pixels; `dtype`: that of MS."""
        return np.dtype(_one_of("dtype", self.dtype or dtype, DTYPES))


def _one_of(what: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise InputError(f"{what} {value!r} is unknown: expected {', '.join(allowed)}")
    return value


def _level(compress: str, level: int | None) -> dict[str, int]:
    """GDAL's option for how hard a codec tries."""
    if compress not in LEVELS:
        if level is not None:
            raise InputError(f"compress {compress} has no level: expected one with {' or '.join(LEVELS)}")
        return {}
    option, usual, highest = LEVELS[compress]
    if level is not None and not 1 <= level <= highest:
        raise InputError(f"level {level} of {compress}: expected 1 to {highest}")
    return {option: level or usual}


@dataclass(frozen=True)
class Packing:
    """Makes tiles of a file out of pixels, in whatever thread or process; level: of zstd, None: GDAL compresses."""

    block: int
    level: int | None

    def __call__(self, core: Core, image: np.ndarray) -> np.ndarray | list[Tile]:
        """Pixels [C, H, W] of a window that begins with a tile of the file."""
        if self.level is None:
            return image
        return encode(image, (core[0] // self.block, core[2] // self.block), self.block, self.level)


class _Errors(logging.Handler):
    """Collects what GDAL complains of while files are closed, which raises nothing."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@cache
def _quieten() -> None:
    """GDAL's errors say what libtiff prints on stderr besides, where it is a library of its own (wheels for Linux)."""
    with suppress(OSError, AttributeError):
        lines = Path("/proc/self/maps").read_text().splitlines()
        for path in {line.split(maxsplit=5)[-1] for line in lines if "/libtiff" in line}:
            ctypes.CDLL(path).TIFFSetErrorHandler(None)


class Sink:
    """A GeoTIFF or COG in the making. `write` takes blocks in any order, as `pack` gives them back; `finish` makes the
    target appear.

    output: the file; grid, bands: of the image; profile: how it is written, its dtype included; nodata: the value that
    stands for it; mask: whether the file has one; jobs: GDAL's threads; block: pixels of a tile's side; aligned:
    whether blocks that are written begin where tiles begin. Used as a context: whatever happens before `finish`,
    nothing is left behind, but for what `resume` asks to keep.
    """

    def __init__(
        self,
        output: Output,
        grid: Grid,
        bands: int,
        profile: Profile,
        *,
        nodata: float | None = None,
        mask: bool = False,
        jobs: int = 1,
        block: int = BLOCK,
        aligned: bool = True,
    ):
        _quieten()
        self.mask, self.profile = mask, (profile := profile.settled(output.path))
        dtype, format, compress = profile.dtype, profile.format, profile.compress
        self._output, self.out = output, output.out
        self._part, self._second = self._output.part(".tif"), self._output.part(".cog.tif")
        predictor = {"predictor": 3 if np.dtype(dtype).kind == "f" else 2}
        self._creation: dict[str, Any] = {"compress": compress} if compress != "none" else {}
        self._creation |= predictor if compress in ("deflate", "zstd", "lzw") else {}
        self._level = _level(compress, profile.level)
        staged = {"compress": "zstd", "zstd_level": 1, **predictor} if format == "cog" else self._creation | self._level
        blocks = {"tiled": True, "blockxsize": block, "blockysize": block} if min(grid.size) >= 16 else {}
        # GDAL makes overviews of compressed tiles twice as fast where bands lie apart; without compression it would
        # leave them apart in the COG
        interleave = "band" if format == "cog" and compress != "none" else "pixel"
        packs = (
            format == "gtiff"
            and bool(blocks)
            and aligned
            and not mask
            and compress == "zstd"
            and predictor["predictor"] == 2
        )
        self.pack = Packing(block, self._level["zstd_level"] if packs else None)
        self._tiles: Tiles | None = None
        self._kept: Resumable | None = None
        self.begun_anew = False
        self._jobs, self._block = jobs, block
        try:
            self._dataset = rasterio.open(
                self._part,
                "w",
                driver="GTiff",
                height=grid.size[0],
                width=grid.size[1],
                count=bands,
                dtype=dtype,
                crs=grid.crs,
                transform=grid.transform,
                nodata=nodata,
                bigtiff="IF_SAFER",
                interleave=interleave,
                sparse_ok=packs,
                endianness="little",
                num_threads=jobs,
                **blocks,
                **staged,
            )
            if grid.camera:
                grid.camera.describe(self._dataset)
        except RasterioError as error:
            self._output.discard()
            raise OutputError(f"{self.out} cannot be written: {error}") from None

    def describe(
        self,
        names: Sequence[str],
        tags: Mapping[str, str],
        *,
        colors: Sequence = (),
        scales: Sequence[float] = (),
        offsets: Sequence[float] = (),
        units: Sequence[str | None] = (),
        band_tags: Sequence[Mapping[str, str]] = (),
        imagery: Sequence[Mapping[str, str]] = (),
    ) -> None:
        """Band names, the tags of provenance, colour interpretation, scale and offset, units, tags of every band, and
        those of the domain IMAGERY."""
        dataset = self._dataset
        dataset.descriptions = [name or f"band {i + 1}" for i, name in enumerate(names)]
        dataset.scales = scales or [1.0] * len(names)
        dataset.offsets = offsets or [0.0] * len(names)
        with suppress(RasterioError, ValueError):
            dataset.colorinterp = colors
        with suppress(RasterioError, ValueError, TypeError):
            dataset.units = [unit or "" for unit in units]
        dataset.update_tags(**tags)
        for band, of_band in enumerate(band_tags, 1):
            dataset.update_tags(band, **of_band)
        for band, of_band in enumerate(imagery, 1):
            dataset.update_tags(band, ns="IMAGERY", **of_band)

    def resume(self, digest: str) -> list[Block]:
        """From now on what is written outlasts the process. Returns the blocks that a run of the same digest has left;
        `begun_anew` says whether there is something of another one. Raises InputError where files are of a kind whose
        tiles GDAL writes, OutputError where another run does the same."""
        if self.pack.level is None:
            raise InputError(
                f"{self.out} cannot be resumed: expected --format gtiff with zstd, integers, a nodata value where "
                "there are holes, and a part, if any, that begins with a block"
            )
        across, down = self._close_dataset()
        self._kept = Resumable(self._output, self._part, across, down, digest)
        self._part, self._tiles = self._kept.part, self._kept.tiles
        self.begun_anew = self._kept.begun_anew
        return self._kept.blocks

    def write(
        self, core: Core, packed: np.ndarray | list[Tile], valid: np.ndarray | None, clipped: int = 0, holes: int = 0
    ) -> None:
        """What was packed of a window of the PAN grid, and where [H, W] it is valid; clipped, holes: pixels, for a run
        that resumes this one."""
        top, bottom, left, right = core
        window = Window(left, top, right - left, bottom - top)
        try:
            if isinstance(packed, list):
                if self._kept:
                    self._kept.write(core, packed, clipped, holes)
                else:
                    self._appended().append(packed)
                return
            self._dataset.write(packed, window=window)
            if self.mask:
                there = np.ones(packed.shape[-2:], bool) if valid is None else valid
                self._dataset.write_mask(there, window=window)
        except (RasterioError, OSError) as error:
            raise OutputError(f"{self.out} cannot be written to its end: {reason(error)}; is the disk full?") from None

    def _appended(self) -> Tiles:
        """The file, when GDAL has written what describes it."""
        if self._tiles is None:
            self._tiles = Tiles(self._part, *self._close_dataset())
        return self._tiles

    def _close_dataset(self) -> tuple[int, int]:
        """How many tiles there are across and down."""
        height, width = self._dataset.shape
        self._dataset.close()
        return -(-width // self._block), -(-height // self._block)

    def finish(self, tags: Mapping[str, str] | None = None) -> None:
        """Add tags, close, make overviews and the COG layout, check, rename."""
        errors = _Errors()
        logger = logging.getLogger("rasterio")
        logger.addHandler(errors)
        try:
            with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True, GDAL_NUM_THREADS=self._jobs, **self._for_overviews()):
                if self._tiles:
                    self._tiles.finish()
                if tags:
                    self._reopened().update_tags(**tags)
                if self.profile.overviews and self.profile.format == "gtiff":
                    size = max(self._reopened().shape)
                    factors: list[int] = []
                    while size // 2 ** len(factors) > self._block:
                        factors.append(2 ** (len(factors) + 1))
                    self._dataset.build_overviews(factors, Resampling.average)
                self._dataset.close()
                if not errors.messages and self.profile.format == "cog":
                    self._to_cog()
            result = self._second if self.profile.format == "cog" else self._part
            if not errors.messages:
                self._verify(result)
        except (RasterioError, CPLE_BaseError, OSError) as error:  # the second is what copying raises
            raise OutputError(f"{self.out} cannot be finished: {reason(error)}; is the disk full?") from None
        finally:
            logger.removeHandler(errors)
        if errors.messages:
            raise OutputError(f"{self.out} cannot be finished: {errors.messages[0]}; is the disk full?")
        self._output.publish(result)
        removed(self._output)
        self._output.remove_sidecars()

    def _reopened(self) -> Any:
        """The file, which GDAL was done with where tiles were appended."""
        if self._dataset.closed:
            self._dataset = rasterio.open(self._part, "r+", num_threads=self._jobs)
        return self._dataset

    def _for_overviews(self) -> dict[str, int]:
        """GDAL's options for how hard the codec tries on overviews: no harder than on the image."""
        return {f"{option}_overview".upper(): level for option, level in self._level.items()}

    def _to_cog(self) -> None:
        compress = self._creation.get("compress", "none").upper()
        level = {"LEVEL": next(iter(self._level.values()))} if self._level else {}
        rasterio.shutil.copy(
            self._part,
            self._second,
            driver="COG",
            COMPRESS=compress,
            PREDICTOR="YES" if "predictor" in self._creation else "NO",
            BLOCKSIZE=self._block,
            BIGTIFF="IF_SAFER",
            OVERVIEWS="AUTO" if self.profile.overviews else "NONE",
            OVERVIEW_RESAMPLING="AVERAGE",
            NUM_THREADS=self._jobs,
            **level,
        )

    def _verify(self, path: Path) -> None:
        """The last block can be read, and a COG is one."""
        with rasterio.open(path) as dataset:
            height, width = dataset.shape
            dataset.read(1, window=Window(width - 1, height - 1, 1, 1))
            if self.profile.format == "cog" and dataset.tags(ns="IMAGE_STRUCTURE").get("LAYOUT") != "COG":
                raise OutputError(f"{self.out}: GDAL did not write a valid COG")

    def __enter__(self) -> Sink:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(Exception):
            self._dataset.close()
        if self._tiles:
            self._tiles.close()
        if self._kept:
            self._kept.close()
        self._output.discard()
