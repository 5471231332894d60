"""Synthetic scenes: a drawn place seen by a sensor, with the truth that no real image has.

For demonstrations, tests and training. A town and its fields are drawn in materials with spectra, lit by a sun,
and measured: the reference by every band at PAN's resolution, PAN by its wide band, MS through the bands'
MTF at any phase.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rasterio.io import MemoryFile
from rasterio.transform import Affine
from scipy.ndimage import convolve1d

from panflow.data import _streets
from panflow.data._canvas import Canvas
from panflow.data._materials import response
from panflow.errors import InputError
from panflow.files import output
from panflow.files.output import Output
from panflow.ops.resample import sense
from panflow.types import YX, Pair, Sensor

FULL = 1.2  # counts of reflectance 1, in full scales: bright roofs come near saturation, as in real images
FILES = ("pan", "ms", "truth")  # by their stems
SIDE = 0.11  # weight of each neighbour in the optics that reference and PAN share


def scene(
    size: int | tuple[int, int],
    sensor: Sensor,
    *,
    seed: int = 0,
    ratio: float | None = None,
    phase: YX | None = None,
    shift: YX = (0.0, 0.0),
    band_shifts: Sequence[YX] | None = None,
    noise: float = 0.001,
    nodata: float = 0.0,
    pixel: float = 0.5,
) -> Pair:
    """A place of `size` PAN pixels (a side, or H and W) of `pixel` metres, as a pair with reference.

    ratio: the sensor's by default. The centre of MS pixel (0, 0) falls at phase + shift (+ the band's
    band_shifts[b]) on the PAN grid; phase is (r - 1)/2 by default, where the grids share corners. noise: its
    deviation as a share of full scale, in PAN and in MS. nodata: the share of the image that a slanting border
    hides. Values are counts of the sensor's bits in float32, not rounded; 0 only where there is nodata.
    """
    height, width = (size, size) if isinstance(size, int) else size
    r = ratio or sensor.ratio
    ms_size = (int(height / r + 1e-6), int(width / r + 1e-6))
    if min(ms_size) < 1 or not 0 <= nodata < 1:
        raise InputError(f"a scene needs at least one MS pixel and nodata below 1, not {size}, ratio {r}, {nodata}")
    rng = np.random.default_rng(seed)
    canvas = Canvas((height, width), pixel, rng)
    _streets.build(canvas)
    seen = canvas.expose([response(band) for band in (*sensor.bands, sensor.pan)])[None]
    top = float(2**sensor.bits - 1)
    counts = np.clip(_optics(seen) * np.float32(FULL * top), 1, top)

    start = phase or ((r - 1) / 2, (r - 1) / 2)
    band_shifts = band_shifts or [(0.0, 0.0)] * len(sensor.bands)
    phases = tuple((start[0] + shift[0] + y, start[1] + shift[1] + x) for y, x in band_shifts)
    bands, pan = counts[:, :-1], counts[:, -1:]
    empty = np.zeros((1, len(sensor.bands), *ms_size), np.float32)
    pair = Pair(pan, empty, (r, r), phases, sensor, reference=bands)
    ms = sense(bands, pair)
    if noise:
        pan, ms = (np.clip(x + rng.normal(0, noise * top, x.shape).astype(np.float32), 1, top) for x in (pan, ms))
    pair = replace(pair, pan=pan, ms=ms)
    return _hide(pair, nodata, rng) if nodata else pair


def _optics(image: np.ndarray) -> np.ndarray:
    """The blur of the telescope at PAN's resolution, three taps on each axis."""
    for axis in (-2, -1):
        image = convolve1d(image, [SIDE, 1 - 2 * SIDE, SIDE], axis, mode="nearest")
    return image


def _hide(pair: Pair, share: float, rng: np.random.Generator) -> Pair:
    """The pair with nodata beyond a slanting edge; an MS pixel is valid where all PAN pixels under it are."""
    slant = rng.uniform(0.15, 1.4)
    normal = np.array([np.sin(slant), np.cos(slant)])

    def beyond(size: tuple[int, int], step: float, phase: YX, reach: float) -> np.ndarray:
        y, x = (phase[k] + step * np.arange(size[k]) for k in (0, 1))
        return y[:, None] * normal[0] + x * normal[1] - reach * normal.sum()

    distance = beyond(pair.size, 1.0, (0.0, 0.0), 0.0)
    edge = np.quantile(distance, share)
    pan_valid = (distance >= edge)[None, None]
    ms_valid = (beyond(pair.ms_size, pair.ratio[0], pair.common_phase, (pair.ratio[0] - 1) / 2) >= edge)[None, None]
    return replace(
        pair,
        pan=pair.pan * pan_valid,
        ms=pair.ms * ms_valid,
        reference=pair.reference * pan_valid,
        pan_valid=pan_valid,
        ms_valid=ms_valid,
    )


def write(
    pair: Pair,
    folder: str | Path,
    *,
    crs: str = "EPSG:32633",
    origin: tuple[float, float] = (385000.0, 5820000.0),
    pixel: float = 0.5,
    phase: YX | None = None,
    outputs: Sequence[Output] = (),
) -> dict[str, Path]:
    """Writes `pan.tif`, `ms.tif` and `truth.tif` (integer counts, nodata 0) and returns their paths by these stems.

    origin: x and y of PAN's upper left corner; pixel: PAN's in metres. phase: where the files say that MS lies,
    the pair's by default; another one makes files that are misregistered by the difference. outputs: the three
    files, where they were checked before; else they are replaced.
    """
    folder = output.folder(folder)
    outputs = outputs or [Output(folder / f"{stem}.tif", overwrite=True) for stem in FILES]
    (x, y), (ry, rx), (py, px) = origin, pair.ratio, phase or pair.common_phase
    grid = Affine(pixel, 0, x, 0, -pixel, y)
    # the corner of MS pixel (0, 0) lies half an MS pixel before its centre, PAN's half a PAN pixel
    coarse = Affine(pixel * rx, 0, x + pixel * (px + 0.5 - rx / 2), 0, -pixel * ry, y - pixel * (py + 0.5 - ry / 2))
    names = [band.name for band in pair.sensor.bands]
    files = {"pan": (pair.pan, grid, ["pan"]), "ms": (pair.ms, coarse, names), "truth": (pair.reference, grid, names)}
    dtype, paths = "uint8" if pair.sensor.bits <= 8 else "uint16", {}
    for stem, target in zip(FILES, outputs):
        image, transform, descriptions = files[stem]
        counts = np.round(np.asarray(image[0])).astype(dtype)
        paths[stem] = target.path
        profile = {"driver": "GTiff", "dtype": dtype, "nodata": 0, "crs": crs, "transform": transform}
        profile |= {"count": counts.shape[0], "height": counts.shape[1], "width": counts.shape[2]}
        with MemoryFile() as memory:
            with memory.open(tiled=True, compress="deflate", predictor=2, **profile) as dataset:
                dataset.write(counts)
                dataset.descriptions = tuple(descriptions)
                dataset.update_tags(PANFLOW_SENSOR=pair.sensor.name, TIFFTAG_IMAGEDESCRIPTION="synthetic scene")
            with target:
                target.write(memory.getbuffer())
    return paths
