"""Small rasters for the tests of scenes: a drawn scene as arrays, and files made of arrays."""

from functools import cache
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

from panflow import sensors
from panflow.data import synthetic

CRS = "EPSG:32633"
ORIGIN = 385000.0, 5820000.0
PIXEL = 0.5


@cache
def drawn(size: int = 256, sensor: str = "ikonos", seed: int = 1, shift=(0.0, 0.0)):
    """(PAN [1, H, W], MS [C, h, w], truth [C, H, W]) in uint16 counts."""
    pair = synthetic.scene(size, sensors.load(sensor), seed=seed, shift=shift)
    found = tuple(np.round(image[0]).astype("uint16") for image in (pair.pan, pair.ms, pair.reference))
    for image in found:
        image.setflags(write=False)
    return found


def grid(pixel: float = PIXEL, row: float = 0.0, column: float = 0.0) -> Affine:
    """North-up pixels whose corner lies `row`, `column` PAN pixels from the scene's."""
    return Affine(pixel, 0, ORIGIN[0] + column * PIXEL, 0, -pixel, ORIGIN[1] - row * PIXEL)


def save(
    path: Path, image: np.ndarray, transform=None, crs=CRS, *, valid=None, colors=None, about=None, **profile
) -> Path:
    """A GeoTIFF of [C, H, W]. valid: an internal mask; colors: colour interpretation; about: further attributes."""
    count, height, width = image.shape
    profile = {"driver": "GTiff", "dtype": image.dtype, "crs": crs, "transform": transform} | profile
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", count=count, height=height, width=width, **profile) as target,
    ):
        if colors:
            target.colorinterp = colors
        for name, value in (about or {}).items():
            setattr(target, name, value)
        target.write(image)
        if valid is not None:
            target.write_mask(valid)
    return path


def save_pair(folder: Path, pan: np.ndarray, ms: np.ndarray, ratio: float = 4, **profile) -> tuple[Path, Path]:
    """pan.tif and ms.tif that share their upper left corner."""
    return (
        save(folder / "pan.tif", pan, grid(), **profile),
        save(folder / "ms.tif", ms, grid(PIXEL * ratio), **profile),
    )


def load(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read()


def load_mask(path: Path) -> np.ndarray:
    """Where the file says that pixels are valid."""
    with rasterio.open(path) as dataset:
        return dataset.dataset_mask() > 0
