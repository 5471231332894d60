"""A part of a scene: by bounds or pixels, with its own fit or the whole scene's."""

import numpy as np
import pytest
import rasterio
from rasters import drawn, load, save_pair

import panflow
from panflow.errors import InputError
from panflow.files.sink import Profile
from panflow.scene import engine

PART = 37, 50, 120, 93  # row, column, rows, columns: no border of a block
INSIDE = (slice(None), slice(37, 157), slice(50, 143))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return save_pair(tmp_path_factory.mktemp("scene"), *drawn()[:2])


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    monkeypatch.setattr(engine, "BLOCK", 64)


def run(files, out, **options):
    usual = {"sensor": "ikonos", "jobs": 2, "profile": Profile(format="gtiff")}
    return panflow.sharpen_file(*files, out, **usual | options)


@pytest.mark.parametrize("method", ["gsa", "mtf_glp_fs", "lmvm", "bandwise"])
def test_with_the_whole_scenes_fit_a_part_has_the_bits_of_the_whole(files, tmp_path, method):
    whole = run(files, tmp_path / "whole.tif", method=method)
    part = run(files, tmp_path / "part.tif", method=method, pixels=PART, whole_fit=True)
    assert np.array_equal(load(tmp_path / "part.tif"), load(tmp_path / "whole.tif")[INSIDE])
    assert part.mtf_gains == whole.mtf_gains and part.shift_pixels == whole.shift_pixels
    assert part.pixels == 120 * 93


def test_what_needs_the_whole_image_gets_it(files, tmp_path):
    """With the whole scene's fit, all of it; with the part's, the part."""
    options = {"method": "gsa", "arithmetic": "toolbox"}
    run(files, tmp_path / "whole.tif", **options)
    run(files, tmp_path / "part.tif", pixels=PART, whole_fit=True, **options)
    run(files, tmp_path / "alone.tif", pixels=PART, **options)
    part = load(tmp_path / "part.tif")
    assert np.array_equal(part, load(tmp_path / "whole.tif")[INSIDE])
    assert load(tmp_path / "alone.tif").shape == part.shape


def test_a_part_is_fitted_to_itself(files, tmp_path):
    """As the cut files are, but for the border, around which the part sees the scene."""
    for path, ratio in zip(files, (1, 4)):
        with rasterio.open(path) as dataset:
            corner = dataset.transform * rasterio.Affine.translation(64 / ratio, 64 / ratio)
            profile = dataset.profile | {"transform": corner, "width": 128 // ratio, "height": 128 // ratio}
            image = dataset.read()[:, 64 // ratio : 192 // ratio, 64 // ratio : 192 // ratio]
            with rasterio.open(tmp_path / path.name, "w", **profile) as cut:
                cut.write(image)
    options = {"method": "brovey", "weights": "mean", "register": "off", "mtf": "sensor"}
    run([tmp_path / path.name for path in files], tmp_path / "cut.tif", **options)
    run(files, tmp_path / "part.tif", pixels=(64, 64, 128, 128), **options)
    run(files, tmp_path / "whole.tif", **options)
    inner = (slice(None), slice(40, 88), slice(40, 88))
    cut, part = (load(tmp_path / f"{name}.tif")[inner].astype(int) for name in ("cut", "part"))
    assert np.abs(cut - part).max() <= 1 < np.abs(part - load(tmp_path / "whole.tif")[:, 104:152, 104:152]).max()


def test_bounds_are_of_the_map(files, tmp_path):
    run(files, tmp_path / "pixels.tif", method="brovey", pixels=PART)
    with rasterio.open(tmp_path / "pixels.tif") as dataset, rasterio.open(files[0]) as pan:
        bounds, crs = dataset.bounds, dataset.crs
        assert dataset.transform == pan.transform * rasterio.Affine.translation(50, 37) and crs == pan.crs
    run(files, tmp_path / "bounds.tif", method="brovey", bounds=",".join(map(str, bounds)))
    assert (tmp_path / "bounds.tif").read_bytes() == (tmp_path / "pixels.tif").read_bytes()


def test_a_part_ends_where_pan_ends(files, tmp_path):
    report = run(files, tmp_path / "out.tif", method="brovey", pixels="200,-9,100,50", whole_fit=True)
    assert report.pixels == 56 * 41


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bounds": (0, 0, 1, 1)}, "there is no pixel of PAN, which has 256 x 256"),
        ({"pixels": "0,256,5,5"}, "there is no pixel of PAN"),
        ({"pixels": "0,0,5"}, "expected whole numbers row,column,rows,columns"),
        ({"pixels": (0, 0, 5.5, 5)}, "expected whole numbers"),
        ({"bounds": "5,0,1,1"}, "with west < east, south < north"),
        ({"bounds": "nan,0,1,1"}, "expected numbers west,south,east,north"),
        ({"bounds": (0, 0, 1, 1), "pixels": PART}, "expected one of them"),
    ],
)
def test_parts_that_are_none(files, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        run(files, tmp_path / "out.tif", method="brovey", **options)
    assert not list(tmp_path.iterdir())


def test_bounds_need_georeferencing(tmp_path):
    files = save_pair(tmp_path, *drawn()[:2], crs=None)
    with pytest.raises(InputError, match="give the part by pixels"):
        run(files, tmp_path / "out.tif", method="brovey", bounds=(0, 0, 9, 9))
