"""An image of any tool, read window by window on the grid that it is compared on."""

from __future__ import annotations

import threading

import numpy as np
from rasterio.errors import RasterioError
from rasterio.windows import Window

from panflow.errors import GeometryError, InputError
from panflow.files.grid import Grid
from panflow.files.output import reason
from panflow.files.remote import unread
from panflow.files.source import grid_of, open_dataset
from panflow.files.validity import Validity, alpha_band
from panflow.ops.window import Core

SLACK = 0.1  # pixels by which grids may miss each other, anywhere in the image


class Image:
    """A file on the anchor's pixels (None: on those of the file). What of the anchor it does not cover is nodata.

    nodata: a value that counts as nodata besides what the file declares. Raises GeometryError where the pixels are
    not the anchor's.
    """

    def __init__(self, path: str, role: str, anchor: Grid | None = None, nodata: float | None = None):
        self.path, self._lock = path, threading.Lock()
        self._dataset = open_dataset(path, role)
        alpha = alpha_band(self._dataset)
        self._bands = [i for i in self._dataset.indexes if i != alpha]
        self._validity = Validity.of(self._dataset, self._bands, nodata)
        self.grid, self.dtype = grid_of(self._dataset), np.dtype(self._dataset.dtypes[0])
        if self.dtype.kind == "c":
            raise InputError(f"{path} holds complex numbers ({self.dtype}): expected intensities")
        self._origin = (0, 0) if anchor is None else _origin(self.grid, anchor, f"{role} file {path}")

    @property
    def bands(self) -> int:
        return len(self._bands)

    def read(self, core: Core) -> tuple[np.ndarray, np.ndarray]:
        """Counts [C, H, W] of a window of the anchor in the file's type, and where every band is valid, [H, W]."""
        top, bottom, left, right = core
        shape = bottom - top, right - left
        image, valid = np.zeros((self.bands, *shape), self.dtype), np.zeros(shape, bool)
        height, width = self.grid.size
        rows = max(top - self._origin[0], 0), min(bottom - self._origin[0], height)
        columns = max(left - self._origin[1], 0), min(right - self._origin[1], width)
        if rows[0] >= rows[1] or columns[0] >= columns[1]:
            return image, valid
        window = Window(columns[0], rows[0], columns[1] - columns[0], rows[1] - rows[0])
        try:
            with self._lock:
                pixels = self._dataset.read(self._bands, window=window)
                mask = self._validity.mask(self._dataset, window, pixels)
        except RasterioError as error:
            raise unread(self._dataset.name, reason(error)) from None
        y, x = rows[0] + self._origin[0] - top, columns[0] + self._origin[1] - left
        at = slice(y, y + pixels.shape[1]), slice(x, x + pixels.shape[2])
        image[:, *at] = pixels
        valid[at] = True if mask is None else mask
        return image, valid

    def clipped(self, image: np.ndarray) -> np.ndarray:
        """Where some band is at a limit of the file's type, [H, W]; nowhere in floating types."""
        if self.dtype.kind == "f":
            return np.zeros(image.shape[-2:], bool)
        info = np.iinfo(self.dtype)
        return ((image == info.min) | (image == info.max)).any(axis=0)

    def close(self) -> None:
        self._dataset.close()


def _origin(grid: Grid, anchor: Grid, what: str) -> tuple[int, int]:
    """Row and column of the anchor at which the image begins; GeometryError where its pixels are others."""
    size = f"{grid.size[0]} x {grid.size[1]} pixels"
    wanted = f"expected the grid of {anchor.size[0]} x {anchor.size[1]} pixels that it is judged on"
    if not (grid.located and anchor.located):
        if grid.size != anchor.size:
            raise GeometryError(f"{what} has {size} and there is no georeferencing to place it by: {wanted}")
        return 0, 0
    if grid.crs != anchor.crs:
        raise GeometryError(f"{what} is in another CRS ({grid.crs}, not {anchor.crs}): {wanted}")
    relation = ~anchor.transform * grid.transform  # its pixel corners to the anchor's
    row, column = round(relation.f), round(relation.c)
    height, width = grid.size
    corners = [(x, y) for x in (0, width) for y in (0, height)]
    moved = [relation * corner for corner in corners]
    miss = max(max(abs(x - cx - column), abs(y - cy - row)) for (x, y), (cx, cy) in zip(moved, corners))
    if miss > SLACK:
        raise GeometryError(
            f"{what} has {size} of {abs(grid.transform.a):g} x {abs(grid.transform.e):g} units, "
            f"up to {miss:.2f} pixels off: {wanted}, {abs(anchor.transform.a):g} x {abs(anchor.transform.e):g} units"
        )
    if row >= anchor.size[0] or column >= anchor.size[1] or row + height <= 0 or column + width <= 0:
        raise GeometryError(f"{what} lies beside the image that it is to be judged by: {wanted}")
    return row, column
