"""Big scenes for timing: a real pair, or a synthetic one, tiled by mirroring with a small gain from tile to tile."""

from multiprocessing import get_context
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import Affine
from rasterio.windows import Window


def make(folder: Path, size: int, bands: int, pan: Path | None = None, ms: Path | None = None) -> tuple[Path, Path]:
    """`pan_SIZE.tif` and `ms_SIZE_BANDSb.tif` (uint16, tiled, EPSG:32631) in `folder`; kept if there."""
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / f"pan_{size}.tif", folder / f"ms_{size}_{bands}b.tif"
    if all(path.exists() for path in out):
        return out
    if pan is None or ms is None:
        from panflow.data import synthetic
        from panflow.sensors import load

        pair = synthetic.scene(1024, load("worldview2"))
        images = [np.asarray(pair.pan[0]), np.asarray(pair.ms[0])]
    else:
        images = [rasterio.open(path).read() for path in (pan, ms)]
    images[1] = images[1][np.linspace(0, len(images[1]) - 1, bands).round().astype(int)]
    ratio = images[0].shape[1] // images[1].shape[1]
    for path, image, pixel in zip(out, images, (0.5, 0.5 * ratio)):
        _mirror(path, image, size * image.shape[1] // images[0].shape[1], pixel)
    return out


def make_apart(*arguments) -> tuple[Path, Path]:
    """`make` in a process of its own: a child's peak memory counts what its parent held when it was forked."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(make, arguments)


def _mirror(path: Path, image: np.ndarray, size: int, pixel: float) -> None:
    side = image.shape[1]
    profile = {"driver": "GTiff", "dtype": "uint16", "count": len(image), "height": size, "width": size}
    profile |= {"crs": "EPSG:32631", "transform": Affine(pixel, 0, 590000, 0, -pixel, 5750000), "bigtiff": "IF_SAFER"}
    layout = {"tiled": True, "blockxsize": 512, "blockysize": 512}
    with rasterio.open(path, "w", num_threads=2, **profile, **layout) as target:
        for i in range(-(-size // side)):
            for j in range(-(-size // side)):
                tile = image[:, :: -1 if i % 2 else 1, :: -1 if j % 2 else 1] * (
                    1 + 0.02 * ((3 * i + 5 * j) % 7 - 3) / 3
                )
                rows, columns = min(side, size - i * side), min(side, size - j * side)
                tile = np.clip(np.rint(tile[:, :rows, :columns]), 0, 65535).astype("uint16")
                target.write(tile, window=Window(j * side, i * side, columns, rows))
