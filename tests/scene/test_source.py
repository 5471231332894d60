"""Windows of files are read alike by every way that GDAL has of reading them."""

from itertools import product

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from rasterio.windows import Window

from panflow.files.source import sparing

LAYOUTS = list(product(["uint8", "uint16", "int16", "float32"], ["pixel", "band"], [True, False], ["LITTLE", "BIG"]))


def past_the_cache():
    return rasterio.env.getenv()["GTIFF_DIRECT_IO"]


@pytest.mark.parametrize(("kind", "interleave", "tiled", "endianness"), LAYOUTS)
def test_reading_past_the_cache_gives_the_same_pixels(tmp_path, kind, interleave, tiled, endianness):
    image = np.random.default_rng(0).integers(1, 255, (3, 70, 90)).astype(kind)
    layout = {"interleave": interleave, "endianness": endianness, "tiled": tiled}
    layout |= {"blockxsize": 32, "blockysize": 32} if tiled else {}
    file = tmp_path / "x.tif"
    with rasterio.open(file, "w", width=90, height=70, count=3, dtype=kind, **layout) as made:
        made.write(image)
    with sparing(str(file)), rasterio.open(file) as found:
        assert past_the_cache()
        for bands, (top, left) in product(([1, 2, 3], [3, 1]), ((0, 0), (13, 29))):
            part = found.read(bands, window=Window(left, top, 50, 40), out_dtype="float32")
            assert np.array_equal(part, image[np.array(bands) - 1, top : top + 40, left : left + 50])
    file.write_bytes(file.read_bytes()[:-1])  # what is missing would be zero
    with sparing(str(file)):
        assert not past_the_cache()


def test_what_may_hide_other_files_is_read_by_the_block(tmp_path):
    file = tmp_path / "x.tif"
    with rasterio.open(file, "w", width=900, height=70, count=1, dtype="uint8") as made:
        made.write(np.ones((1, 70, 900), np.uint8))
    rasterio.shutil.copy(file, tmp_path / "x.vrt", driver="VRT")
    with sparing(str(file), str(tmp_path / "x.vrt")):
        assert not past_the_cache()
    with rasterio.open(file, "r+") as made:
        made.build_overviews([2])
    with sparing(str(file)):
        assert not past_the_cache()


@pytest.mark.parametrize("path", ["/vsicurl/https://nowhere.invalid/x.tif", "https://nowhere.invalid/x.tif"])
def test_files_elsewhere_are_read_by_the_block(path):
    with sparing(path):
        assert not past_the_cache()


def test_gdals_cache_is_as_large_as_is_meant():
    """rasterio takes a number for GDAL_CACHEMAX in bytes."""
    from rasterio._env import get_gdal_config

    with sparing():
        assert get_gdal_config("GDAL_CACHEMAX") == 64 * 2**20
    with sparing(GDAL_CACHEMAX=2**20):
        assert get_gdal_config("GDAL_CACHEMAX") == 2**20
