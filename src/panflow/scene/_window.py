"""Any window of a raster on any grid at any resolution, in memory bounded by what is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.warp import reproject
from rasterio.warp import transform as transform_points
from rasterio.windows import Window

from panflow.files.grid import Grid

REACH = 3  # source pixels that cubic resampling needs around a window
PLANE = CRS.from_epsg(3857)  # stands for the common plane of grids without a CRS


def placed(dataset: rasterio.DatasetReader, anchor: Grid) -> Grid:
    """The raster's grid beside the anchor's: its georeferencing, or the anchor's outer corner where either has none.

    Sizes that differ from a whole ratio by less than one coarse pixel are taken to be cut, not stretched.
    """
    grid = Grid(dataset.transform, dataset.crs, dataset.shape)
    if grid.located and anchor.located:
        return grid
    factors = [fine / coarse for fine, coarse in zip(anchor.size, grid.size)]
    y, x = (round(f) if round(f) and abs(f - round(f)) * n < round(f) else f for f, n in zip(factors, grid.size))
    return Grid(anchor.transform * Affine.scale(x, y), anchor.crs, grid.size)


def read(dataset: rasterio.DatasetReader, bands: Sequence[int], grid: Grid, target: Grid) -> np.ndarray:
    """Bands (1-based) on the target grid, [C, h, w] in float32, NaN for nodata and outside; scale and offset applied.

    grid: where the raster lies. It is averaged to the target's resolution where that is coarser, then resampled by
    cubic convolution; on the pixels of the raster nothing changes.
    """
    empty = np.full((len(bands), *target.size), np.nan, np.float32)

    # where 9 x 9 points of the target lie in the raster: in its rows and columns
    crs, target_crs = grid.crs or PLANE, target.crs or PLANE
    ys, xs = (axis.ravel() for axis in np.meshgrid(*(np.linspace(0, n, 9) for n in target.size), indexing="ij"))
    ground_x, ground_y = _at(target.transform, xs, ys)
    if crs != target_crs:
        ground_x, ground_y = map(np.array, transform_points(target_crs, crs, ground_x, ground_y))
    columns, rows = _at(~grid.transform, ground_x, ground_y)

    # by axis, the pixels to read [low, high), and how many of them are averaged to one
    spans, steps = [], []
    for places, full, wanted in zip((rows, columns), grid.size, target.size):
        places = places[np.isfinite(places)]
        if not places.size:
            return empty
        first, last = places.min(), places.max()
        step = max(1, floor((last - first) / wanted + 1e-6))
        low = max(floor(first) - REACH * step, 0)
        count = ceil((ceil(last) + REACH * step - low) / step)
        spans.append((low, min(low + count * step, full)))  # whole averaged pixels, but at the raster's edge
        steps.append(step)
    if any(high <= low for low, high in spans):
        return empty

    (top, bottom), (left, right) = spans
    shape = tuple(ceil((high - low) / step) for (low, high), step in zip(spans, steps))
    data = dataset.read(
        list(bands),
        window=Window(left, top, right - left, bottom - top),
        out_shape=(len(bands), *shape),
        masked=True,
        out_dtype="float32",
        resampling=Resampling.average,
    ).filled(np.nan)

    for plane, band in zip(data, bands):
        plane *= dataset.scales[band - 1]
        plane += dataset.offsets[band - 1]

    pixel = Affine.scale((right - left) / shape[1], (bottom - top) / shape[0])
    reproject(
        data,
        empty,
        src_transform=grid.transform * Affine.translation(left, top) * pixel,
        src_crs=crs,
        dst_transform=target.transform,
        dst_crs=target_crs,
        src_nodata=np.nan,
        dst_nodata=np.nan,
        resampling=Resampling.cubic,
    )
    return empty


def _at(transform: Affine, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return transform.a * x + transform.b * y + transform.c, transform.d * x + transform.e * y + transform.f
