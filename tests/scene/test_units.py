"""Counts with scale and offset tags, and the physical values that they stand for, give one result."""

import numpy as np
import pytest
import rasterio
from rasters import drawn, grid, save

from panflow import registry
from panflow.errors import InputError
from panflow.scene.sharpen import sharpen_file

SCALE, OFFSET = 2.75e-5, -0.2  # of Landsat's Level 2
METHODS = [name for name in registry.names("methods") if name not in ("tv", "exp")]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """PAN and MS once as counts with tags, once as reflectance."""
    folder = tmp_path_factory.mktemp("units")
    result = {"counts": [], "reflectance": []}
    for name, image, place in zip(("pan", "ms"), drawn(128), (grid(), grid(2.0))):
        counts = 8000 + 15 * image.astype("float32")
        about = {"scales": (SCALE,) * len(image), "offsets": (OFFSET,) * len(image)}
        result["counts"].append(save(folder / f"{name}_counts.tif", counts, place, about=about))
        result["reflectance"].append(save(folder / f"{name}.tif", (SCALE * counts + OFFSET).astype("float32"), place))
    return result


def sharpened(files, out, **options):
    sharpen_file(*files, out, register="off", sensor="ikonos", **options)
    with rasterio.open(out) as dataset:
        return dataset.read().astype(float), (dataset.scales, dataset.offsets)


@pytest.mark.parametrize("method", METHODS)
def test_counts_with_tags_equal_reflectance(both, tmp_path, method):
    counts, tags = sharpened(both["counts"], tmp_path / "a.tif", method=method)
    truth, _ = sharpened(both["reflectance"], tmp_path / "b.tif", method=method)
    assert tags == ((SCALE,) * 4, (OFFSET,) * 4)
    assert np.abs(SCALE * counts + OFFSET - truth).max() < 2e-4 * np.ptp(truth)


def test_counts_may_be_asked_for(both, tmp_path):
    physical, _ = sharpened(both["counts"], tmp_path / "a.tif", method="brovey")
    counts, _ = sharpened(both["counts"], tmp_path / "b.tif", method="brovey", units="counts")
    assert np.abs(physical - counts).mean() > 10


def test_physical_units_need_tags(both, tmp_path):
    with pytest.raises(InputError, match="came none"):
        sharpened(both["reflectance"], tmp_path / "a.tif", method="brovey", units="physical")
