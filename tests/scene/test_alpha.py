"""The fourth band of 8 bits that GDAL marks as alpha by itself: near infrared or a mask, as its values say."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp

from panflow import sharpen_file
from panflow.errors import InputError

SIZE = 256


def save(path, image, step, turn=0.0, **profile):
    transform = Affine.translation(5e5, 5.7e6) * Affine.rotation(turn) * Affine.scale(step, -step)
    size = dict(zip(("count", "height", "width"), image.shape))
    with rasterio.open(
        path, "w", driver="GTiff", dtype="uint8", crs="EPSG:32631", transform=transform, **size, **profile
    ) as file:
        file.write(image.astype("uint8"))
    return path


@pytest.fixture
def image():
    rng = np.random.default_rng(0)
    coarse = 90 + 30 * rng.standard_normal((4, SIZE // 32, SIZE // 32))
    return np.clip(np.kron(coarse, np.ones((8, 8))) + 6 * rng.standard_normal((4, SIZE // 4, SIZE // 4)), 1, 254)


def sharpened(folder, ms, name):
    pan = save(folder / "pan.tif", np.kron(ms[:3].mean(0), np.ones((4, 4)))[None], 1)
    marked = save(folder / f"{name}.tif", ms, 4)
    report = sharpen_file(pan, marked, folder / "out.tif", method="gsa", register="off", overwrite=True)
    with rasterio.open(folder / "out.tif") as file:
        return file.read(), file.read_masks(1), report


def test_near_infrared_is_a_band(tmp_path, image):
    with rasterio.open(save(tmp_path / "x.tif", image, 4)) as file:
        assert file.colorinterp[3] == ColorInterp.alpha  # as GDAL writes it
    fused, mask, report = sharpened(tmp_path, image, "marked")
    assert len(fused) == 4 and mask.all()
    assert any("band 4" in note and "taken as a band" in note for note in report.warnings)
    undefined = save(tmp_path / "undefined.tif", image, 4, photometric="minisblack", alpha="NO")
    sharpen_file(tmp_path / "pan.tif", undefined, tmp_path / "other.tif", method="gsa", register="off")
    with rasterio.open(tmp_path / "other.tif") as file:
        assert np.array_equal(file.read(), fused)


def test_a_mask_stays_one_with_its_soft_edge(tmp_path, image):
    image[3] = 255
    image[3, :20], image[3, 20:22] = 0, [[100], [200]]
    fused, mask, report = sharpened(tmp_path, image, "masked")
    assert len(fused) == 3 and not mask[:60].any() and mask[120:].all()
    assert any("masks" in note for note in report.warnings)


def test_what_would_be_resampled_by_it_is_refused(tmp_path, image):
    pan = save(tmp_path / "pan.tif", np.kron(image[:3].mean(0), np.ones((4, 4)))[None], 1)
    turned = save(tmp_path / "turned.tif", image, 4, turn=5)
    with pytest.raises(InputError, match="colorinterp_4 undefined"):
        sharpen_file(pan, turned, tmp_path / "out.tif", method="gsa", register="off")
