"""One answer to which pixels count, whoever reads a file."""

import numpy as np
import pytest
from rasterio.enums import ColorInterp as Color
from rasters import grid, save

from panflow.data import geotiff
from panflow.files.image import Image
from panflow.files.scene import Scene
from panflow.files.source import Source

HOW = ["declared", "given", "nan", "mask", "alpha", "zero"]


@pytest.mark.parametrize("how", HOW)
def test_every_reader_takes_the_same_pixels(tmp_path, how):
    rng, hole = np.random.default_rng(0), np.zeros((40, 44), bool)
    hole[5:9, 20:30] = True
    ms = rng.integers(100, 200, (3, 40, 44)).astype("float32" if how == "nan" else "uint16")
    ms[0, hole] = {"nan": np.nan, "declared": 7, "given": 9, "zero": 0}.get(how, 150)  # one band is enough
    options = {"declared": {"nodata": 7}, "mask": {"valid": ~hole}}.get(how, {})
    if how == "alpha":
        ms = np.concatenate([ms, np.where(hole, 0, 255)[None].astype("uint16")])
        options = {"colors": [Color.red, Color.green, Color.blue, Color.alpha]}
    path = save(tmp_path / "ms.tif", ms, grid(2.0), **options)
    pan = save(tmp_path / "pan.tif", rng.integers(100, 200, (1, 160, 176)).astype("uint16"), grid())
    nodata = 9 if how == "given" else None
    expected = (
        ~hole if how != "zero" else np.ones_like(hole)
    )  # zero is a count unless a file or a caller says otherwise

    source = Source(Scene.of(pan, path, nodata=nodata))
    pair = source.read((0, 160, 0, 176), 0)
    source.close()
    seen = np.ones_like(hole) if pair.ms_valid is None else pair.ms_valid[0, 0]
    image = Image(str(path), "fused", nodata=nodata)
    _, fused = image.read((0, 40, 0, 44))
    image.close()
    assert np.array_equal(seen, expected) and np.array_equal(fused, expected)
    if how != "alpha":  # ground to learn from takes every band
        assert np.array_equal(geotiff.read([path], nodata).valid, expected)
