"""A rio-tiler reader of PAN and MS: what it reads is sharpened on the fly, as if the result lay there as a file."""

from __future__ import annotations

from functools import lru_cache
from math import ceil, floor
from typing import Any, NamedTuple

import attr
import numpy as np
from affine import Affine
from morecantile import Tile
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.features import bounds as extent
from rasterio.features import rasterize
from rasterio.transform import array_bounds, from_bounds
from rasterio.warp import reproject, transform_bounds, transform_geom
from rasterio.warp import transform as transform_points
from rio_tiler.errors import PointOutsideBounds, TileOutsideBounds
from rio_tiler.io import BaseReader
from rio_tiler.io import Reader as FileReader
from rio_tiler.models import BandStatistics, ImageData, Info, PointData
from rio_tiler.utils import CRS_to_uri

from panflow import zoo
from panflow.ops.window import Core

WGS84 = CRS.from_epsg(4326)
SMALL = 4  # times as wide as the scene a tile must be for the scene to be small in it
NODES = 16  # pixels between two of which the place in PAN is worked out exactly
Box = tuple[float, float, float, float]  # left, bottom, right, top


@attr.s
class Reader(BaseReader):
    """input: an open scene (`panflow.tiles.live`); method: a name of `panflow names methods`, or a model.

    Where a pixel that is asked for is as large as one of MS, or larger, nothing is sharpened: MS is read, from its
    overviews. Resampling is that of `reproject_method`, over pixels that are averaged where they are finer.
    """

    method: str = attr.ib(default=zoo.DEFAULT, kw_only=True)

    def __attrs_post_init__(self) -> None:
        grid = self.input.source.grid
        self.crs, self.transform, (self.height, self.width) = grid.crs, grid.transform, grid.size
        self.bounds = array_bounds(self.height, self.width, self.transform)

    @property
    def minzoom(self) -> int:
        return self._minzoom

    @property
    def maxzoom(self) -> int:
        return self._maxzoom

    def info(self) -> Info:
        source = self.input.source
        labels = [f"b{i}" for i in range(1, source.bands + 1)]
        more: dict[str, Any] = {"count": source.bands, "width": self.width, "height": self.height}
        return Info(
            bounds=self.bounds,
            crs=CRS_to_uri(self.crs) or self.crs.to_wkt(),
            band_metadata=[(label, {}) for label in labels],
            band_descriptions=list(zip(labels, source.names)),
            dtype=source.ms_dtype,
            nodata_type="Mask",
            **more,
        )

    def statistics(self, max_size: int = 1024, **options: Any) -> dict[str, BandStatistics]:
        """Of a preview."""
        return self.preview(max_size=max_size).statistics(**options)

    def tile(self, tile_x: int, tile_y: int, tile_z: int, tilesize: int = 256, **options: Any) -> ImageData:
        if not self.tile_exists(tile_x, tile_y, tile_z):
            raise TileOutsideBounds(f"Tile(x={tile_x}, y={tile_y}, z={tile_z}) is outside bounds")
        west, south, east, north = self.tms.xy_bounds(Tile(tile_x, tile_y, tile_z))
        bounds, crs = (west, south, east, north), self.tms.rasterio_crs
        inside = self._inside(bounds, tilesize)
        if inside is None:
            return self.part(bounds, crs, crs, height=tilesize, width=tilesize, **options)
        box, (rows, columns) = inside
        image = self.part(box, crs, crs, height=rows.stop - rows.start, width=columns.stop - columns.start, **options)
        array = np.ma.masked_all((image.count, tilesize, tilesize), image.array.dtype)
        array[:, rows, columns] = image.array
        about: Any = {name: getattr(image, name) for name in ("band_names", "band_descriptions", "scales", "offsets")}
        return ImageData(array, bounds=bounds, crs=crs, **about)

    def _inside(self, bounds: Box, size: int) -> tuple[Box, tuple[slice, slice]] | None:
        """The box and the pixels of a tile that the scene lies in, where it is much smaller than the tile: GDAL would
        make a virtual file of the whole tile at the scene's resolution, and the tile may reach where the scene's
        reference system has no coordinates. None: the scene is not that small."""
        west, south, east, north = bounds
        left, bottom, right, top = transform_bounds(self.crs, self.tms.rasterio_crs, *self.bounds)
        if east - west < SMALL * (right - left) and north - south < SMALL * (top - bottom):
            return None
        pixel = (east - west) / size
        first, last = (floor((north - y) / pixel) for y in (top, bottom))
        start, end = (floor((x - west) / pixel) for x in (left, right))
        rows = slice(min(max(first, 0), size - 1), min(max(last, 0), size - 1) + 1)
        columns = slice(min(max(start, 0), size - 1), min(max(end, 0), size - 1) + 1)
        box = west + columns.start * pixel, north - rows.stop * pixel
        return (*box, west + columns.stop * pixel, north - rows.start * pixel), (rows, columns)

    def preview(self, max_size: int = 1024, **options: Any) -> ImageData:
        return self.part(self.bounds, self.crs, self.crs, max_size=max_size, **options)

    def point(self, lon: float, lat: float, coord_crs: CRS = WGS84, **_: Any) -> PointData:
        """The pixel that a point lies in."""
        x, y = (value[0] for value in transform_points(coord_crs, self.crs, [lon], [lat]))
        grid = self.input.source.grid
        column, row = (floor(value) for value in ~grid.transform * (x, y))
        if not (0 <= row < grid.size[0] and 0 <= column < grid.size[1]):
            raise PointOutsideBounds(f"the point {lon}, {lat} lies outside of the scene")
        image, valid = self.input.read((row, row + 1, column, column + 1), self.method)
        array = np.ma.MaskedArray(image[:, 0, 0], mask=valid is not None and not valid.all())
        return PointData(array, coordinates=(lon, lat), crs=coord_crs, **self._bands())

    def feature(self, shape: dict, dst_crs: CRS | None = None, shape_crs: CRS = WGS84, **options: Any) -> ImageData:
        """The part around a GeoJSON geometry, with what lies outside of it masked."""
        shape = shape.get("geometry", shape)
        dst_crs = dst_crs or shape_crs
        outline = transform_geom(shape_crs, dst_crs, shape)
        image = self.part(extent(outline), dst_crs, dst_crs, **options)
        size = image.height, image.width
        outside = rasterize([outline], size, fill=1, transform=image.transform, all_touched=True, default_value=0)
        image.array.mask |= outside.astype(bool)
        return image

    def part(
        self,
        bbox: Box,
        dst_crs: CRS | None = None,
        bounds_crs: CRS = WGS84,
        *,
        height: int | None = None,
        width: int | None = None,
        max_size: int | None = None,
        indexes: Any = None,
        expression: str | None = None,
        reproject_method: str = "nearest",
        **_: Any,
    ) -> ImageData:
        """What lies in a box (left, bottom, right, top), at the scene's resolution unless a size is asked for."""
        dst_crs = dst_crs or bounds_crs
        bounds = bbox if bounds_crs == dst_crs else transform_bounds(bounds_crs, dst_crs, *bbox)
        high, wide = self._mapped(bounds, dst_crs, (16, 16)).extent
        shrink = min(1, max_size / max(high, wide)) if max_size else 1
        size = height or ceil(shrink * high), width or ceil(shrink * wide)
        step, source = (high / size[0], wide / size[1]), self.input.source  # step: PAN pixels
        if min(a / b for a, b in zip(step, source.ratio)) >= 1 and source.ms_grid.located:
            array = self._ms(bounds, dst_crs, size, reproject_method)
        else:
            array = self._sharp(step, bounds, dst_crs, size, reproject_method)
        picked = list(range(len(array))) if indexes is None else [i - 1 for i in np.atleast_1d(indexes)]
        bands: Any = {name: [values[i] for i in picked] for name, values in self._bands().items()}
        image = ImageData(array[picked], bounds=bounds, crs=dst_crs, **bands)
        return image.apply_expression(expression) if expression else image

    def _bands(self) -> dict[str, Any]:
        source = self.input.source
        return {"band_descriptions": list(source.names), "scales": list(source.scales), "offsets": list(source.offsets)}

    def _mapped(self, bounds: Box, crs: CRS, size: tuple[int, int]) -> _Mapped:
        """Where the pixels of a box lie in PAN: exactly every few pixels, and interpolated between them."""
        (west, south, east, north), shape = bounds, [max(2, n // NODES + 1) for n in size]
        down, along = (np.linspace(0, 1, n) for n in shape)
        xs, ys = (plane.ravel() for plane in np.meshgrid(west + along * (east - west), north - down * (north - south)))
        if crs != self.crs:
            xs, ys = (np.asarray(values) for values in transform_points(crs, self.crs, xs, ys))
        columns, rows = (np.reshape(values, shape) for values in ~self.input.source.grid.transform * (xs, ys))
        return _Mapped(rows, columns)

    def _sharp(
        self, step: tuple[float, float], bounds: Box, crs: CRS, size: tuple[int, int], method: str
    ) -> np.ma.MaskedArray:
        fy, fx = (max(1, round(each)) for each in step)
        mapped = self._mapped(bounds, crs, size)
        low, high, west, east = mapped.window
        margin = 4 * max(fy, fx)
        top, left = max(0, low - margin) // fy * fy, max(0, west - margin) // fx * fx
        grid = self.input.source.grid
        bottom, right = min(grid.size[0], high + margin), min(grid.size[1], east + margin)
        result = np.zeros((self.input.source.bands + 1, *size), self.input.source.ms_dtype)
        if top < bottom and left < right:
            image, valid = self.input.read((top, bottom, left, right), self.method)
            mask = np.ones(image.shape[1:], image.dtype) if valid is None else valid.astype(image.dtype)
            planes = _averaged(np.concatenate([image, mask[None]]), fy, fx)
            if method == "nearest":
                rows, columns = mapped.at(size)
                result = _nearest(planes, (rows - top) / fy, (columns - left) / fx)
            else:
                reproject(
                    planes,
                    result,
                    src_transform=grid.transform * Affine.translation(left, top) * Affine.scale(fx, fy),
                    src_crs=self.crs,
                    dst_transform=from_bounds(*bounds, size[1], size[0]),
                    dst_crs=crs,
                    resampling=Resampling[method],
                )
        return np.ma.MaskedArray(result[:-1], mask=np.repeat(result[-1:] <= 0, len(result) - 1, axis=0))

    def _ms(self, bounds: Box, crs: CRS, size: tuple[int, int], method: str) -> np.ma.MaskedArray:
        layers = self.input.source.layers
        parts: dict[tuple[str, int], np.ma.MaskedArray] = {}
        for path in dict.fromkeys(layer.path for layer in layers):
            bands = [layer.band for layer in layers if layer.path == path]
            with FileReader(path) as file:
                image = file.part(
                    bounds,
                    crs,
                    crs,
                    indexes=bands,
                    height=size[0],
                    width=size[1],
                    nodata=self.input.source.nodata,
                    reproject_method=method,
                )
            parts |= {(path, band): plane for band, plane in zip(bands, image.array)}
        return np.ma.stack([parts[layer.path, layer.band] for layer in layers])


class _Mapped(NamedTuple):
    """rows, columns: in PAN's pixels, of nodes spread from border to border of a box."""

    rows: np.ndarray
    columns: np.ndarray

    @property
    def window(self) -> Core:
        """PAN pixels, not all of which there are, that the box covers."""
        return (
            floor(self.rows.min()),
            ceil(self.rows.max()),
            floor(self.columns.min()),
            ceil(self.columns.max()),
        )

    @property
    def extent(self) -> tuple[float, float]:
        """PAN pixels that it covers, down and along."""
        return max(np.ptp(self.rows), 1e-6), max(np.ptp(self.columns), 1e-6)

    def at(self, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of the centres of so many pixels."""
        down, along = (_hats(n, nodes) for n, nodes in zip(size, self.rows.shape))
        return down @ self.rows @ along.T, down @ self.columns @ along.T


@lru_cache(16)
def _hats(count: int, nodes: int) -> np.ndarray:
    """Weights [count, nodes] of linear interpolation at the centres of pixels, between nodes from border to border."""
    centres = (np.arange(count) + 0.5) / count * (nodes - 1)
    return np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(nodes)))


def _nearest(planes: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Pixels that places lie in, 0 where there are none; GDAL takes several times as long for it."""
    height, width = planes.shape[1:]
    y, x = np.floor(rows).astype(np.intp), np.floor(columns).astype(np.intp)
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    flat = np.where(inside, y * width + x, 0)
    return np.where(inside, planes.reshape(len(planes), -1).take(flat, axis=1), planes.dtype.type(0))


def _averaged(planes: np.ndarray, fy: int, fx: int) -> np.ndarray:
    """Means over fy x fx pixels; the last plane says where the others are valid, as one or zero."""
    if fy == fx == 1:
        return planes
    count, height, width = len(planes), planes.shape[1] // fy, planes.shape[2] // fx
    cells = planes[:, : height * fy, : width * fx].reshape(count, height, fy, width, fx)
    means = cells.mean(axis=(2, 4), dtype=np.float32)
    means[-1] = cells[-1].min(axis=(1, 3))
    return (means if planes.dtype.kind == "f" else np.rint(means)).astype(planes.dtype)


__all__ = ["Reader"]
