"""Ground to learn from in GeoTIFF or .mat files: pairs reduced by Wald's protocol, and bands without PAN."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import rasterio
from scipy.io import loadmat

from panflow.data._augment import Ground, valid_corners
from panflow.errors import InputError, MissingInput
from panflow.files.validity import Validity
from panflow.ops import kernels
from panflow.ops.resample import decimate, shrink
from panflow.pairs import phase_of
from panflow.types import YX


@dataclass(frozen=True)
class Source:
    """A folder of images. ms: patterns of its MS files, in band order; pan: that of PAN, "" where there is none.

    each: every file that fits is a place. phase: as `panflow.sharpen` takes it, or "ground": from the
    files' georeferencing. scales: for bands without PAN, by how much they are reduced before use (then PAN is
    sharper than the reference, as in a pair reduced by Wald's protocol), unless `alike`. gain: of the MTF through
    which PAN is reduced to MS's grid, to be as sharp as MS (0: antialiased reduction). weight: how often its tiles
    come, against other sources. nodata: a value that counts as nodata besides what the files declare: images are often
    cut out of black. licence, credit: of the images, kept in the model's file.
    """

    folder: str
    ms: tuple[str, ...] = ("ms.tif",)
    pan: str = ""
    each: bool = False
    phase: str | tuple[float, float] = "ground"
    scales: tuple[int, ...] = (1,)
    alike: bool = False
    gain: float = 0.0
    weight: float = 1.0
    nodata: float | None = 0.0
    licence: str = ""
    credit: str = ""


@dataclass(frozen=True)
class Image:
    """bands [C, H, W] in float32, valid [H, W], and the affine transform where the file has one."""

    bands: np.ndarray
    valid: np.ndarray
    transform: rasterio.Affine


def grounds(source: Source, root: Path, tile: int) -> list[Ground]:
    """Every place of a source in memory. Raises MissingInput where files are absent, InputError where none has room."""
    if not (folder := root / source.folder).is_dir():
        raise MissingInput(f"no folder {folder}: give --data, the folder that holds the training images (data.root)")
    places = list(_places(source, folder))
    every = [ground for place in places for ground in _grounds(source, *place, tile)]
    roomy = [ground for ground in every if len(ground.corners)]
    if not roomy:
        raise InputError(f"{folder} has no room for a tile of {tile} pixels: leave it out or take smaller tiles")
    sides = [len(ground.corners) ** 0.5 for ground in roomy]
    return [replace(ground, weight=source.weight * side / sum(sides)) for ground, side in zip(roomy, sides)]


def _places(source: Source, folder: Path) -> Iterator[tuple[Image, Image | None]]:
    groups = [_files(folder, pattern) for pattern in source.ms]
    if source.each:
        for path in (path for group in groups for path in group):
            yield (read_mat(path, source.nodata) if path.suffix == ".mat" else (read([path], source.nodata), None))
    else:
        pan = read(_files(folder, source.pan), source.nodata) if source.pan else None
        yield read([path for group in groups for path in group], source.nodata), pan


def _files(folder: Path, pattern: str) -> list[Path]:
    if "**" in pattern:  # of a recipe from elsewhere, that may be all that there is on the disk
        raise InputError(f"the pattern {pattern!r}: expected one of files in known folders, without **")
    try:
        paths = sorted(folder.glob(pattern))
    except (OSError, ValueError, NotImplementedError) as error:
        raise InputError(f"{folder} / {pattern!r} cannot be searched: {error}") from None
    if not paths:
        raise MissingInput(f"{folder} holds no file {pattern!r}")
    return paths


def read(paths: Sequence[Path], nodata: float | None = None) -> Image:
    """The bands of files, one after the other, on the grid of the first.

    nodata: a value that counts as nodata besides what the files declare (`files.validity`).
    """
    bands, masks, transforms = [], [], []
    for path in paths:
        with rasterio.open(path) as file:
            values = file.read(out_dtype="float32")
            bands.append(values)
            valid = Validity.of(file, list(file.indexes), nodata).mask(file, None, values)
            masks.append(np.ones(values.shape[1:], bool) if valid is None else valid)
            transforms.append(file.transform)
    image = np.concatenate(bands)
    valid = np.all(masks, axis=0)
    median = np.median(image[:, valid], 1)[:, None, None]
    return Image(np.where(valid, image, median), valid, transforms[0])


def read_mat(path: Path, nodata: float | None = None) -> tuple[Image, Image]:
    """MS and PAN of a .mat file with I_MS [h, w, C] and I_PAN [H, W]."""
    values = loadmat(path)
    if not {"I_MS", "I_PAN"} <= set(values):
        raise InputError(f"{path} holds {', '.join(k for k in values if k[0] != '_')}: expected I_MS and I_PAN")
    images = (np.moveaxis(values["I_MS"], 2, 0), values["I_PAN"][None])
    flat = [np.ascontiguousarray(x, dtype=np.float32) for x in images]
    ms, pan = (Image(x, (x != nodata).all(0), rasterio.Affine.identity()) for x in flat)
    return ms, pan


def _grounds(source: Source, ms: Image, pan: Image | None, tile: int) -> Iterator[Ground]:
    if pan is None:
        for scale in source.scales:
            yield _reduced(ms, scale, tile, source.alike)
        return
    ratio = tuple(a / b for a, b in zip(pan.bands.shape[1:], ms.bands.shape[1:]))
    if source.phase == "ground":
        ratio, phase = _on_ground(ms.transform, pan.transform)
    else:
        ratio = (float(round(ratio[0])),) * 2
        phase = phase_of(source.phase, ratio, 1)[0]
    size = ms.valid.shape
    light = (
        decimate(pan.bands, kernels.mtf(source.gain, ratio, 1e-5), ratio, phase, size)
        if source.gain
        else shrink(pan.bands, ratio, size, phase)
    )
    seen = shrink(pan.valid[None].astype(np.float32), ratio, size, phase)[0] > 0.99
    yield Ground(ms.bands, light, valid_corners(ms.valid & seen, tile))


def _on_ground(ms: rasterio.Affine, pan: rasterio.Affine) -> tuple[YX, YX]:
    """Ratio and phase of two north-up grids."""
    column, row = ~pan @ (ms @ (0.5, 0.5))
    return (ms.e / pan.e, ms.a / pan.a), (row - 0.5, column - 0.5)


def _reduced(ms: Image, scale: int, tile: int, alike: bool) -> Ground:
    """Bands at a coarser scale: the reference through an MTF, unless it is to be like the light, which comes by
    antialiased reduction."""
    if scale == 1:
        return Ground(ms.bands, ms.bands, valid_corners(ms.valid, tile))
    ratio = (float(scale),) * 2
    size = tuple(n // scale for n in ms.valid.shape)
    phase = ((scale - 1) / 2,) * 2
    light = shrink(ms.bands, ratio, size)
    reference = light if alike else decimate(ms.bands, kernels.mtf(0.3, ratio, 1e-5), ratio, phase, size)
    share = shrink(ms.valid[None].astype(np.float32), ratio, size)[0]
    return Ground(reference, light, valid_corners(share > 0.99, tile))
