"""Before and after, of arrays and of files."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.warp import Resampling, calculate_default_transform, reproject

import panflow
from panflow import sensors
from panflow.errors import InputError, MissingInput, OutputError
from panflow.pictures.composite import composite, details
from panflow.pictures.picture import GAP, TEXT
from panflow.scene.quicklook import PANEL, quicklook, quicklook_file
from panflow.types import Band

UTM = CRS.from_epsg(32631)
CORNER = Affine(0.5, 0, 500000, 0, -0.5, 5700000)
LINE = TEXT + GAP


def bands(*wavelengths):
    return [Band(f"band{i}", nm, 50.0, 0.3) for i, nm in enumerate(wavelengths)]


def test_composite_goes_by_name_then_wavelength_then_custom():
    assert composite(sensors.load("worldview3").bands) == (4, 2, 1)
    assert composite(sensors.load("landsat7").bands) == (2, 1, 0)
    assert composite(bands(480, 545, 672, 850)) == (2, 1, 0)
    assert composite(bands(850, 672, 545, 480)) == (1, 2, 3)
    assert composite(bands(*[np.nan] * 4)) == (2, 1, 0)
    assert composite(bands(*[np.nan] * 3)) == (0, 1, 2)
    assert composite(bands(1610, 2200, 850)) == (0, 1, 2), "no wavelength near a colour"
    assert composite(bands(850)) == composite(bands(660, 560)) == (0,)


def test_details_are_textured_whole_and_apart():
    rng = np.random.default_rng(4)
    pan = rng.normal(100, 1, (100, 100))
    pan[:, :10] = 10000  # a saturated cloud: one strong edge, no texture
    pan[0:20, 40:60] += rng.normal(0, 20, (20, 20))
    pan[40:60, 40:60] += rng.normal(0, 40, (20, 20))
    pan[40:60, 60:80] += rng.normal(0, 30, (20, 20))  # second best, but next to the best
    pan[80:, 80:] += rng.normal(0, 60, (20, 20))
    pan[80:, 80:94] = np.nan  # the richest, but most of it nodata
    assert details(pan, (1000, 1000), 200, 2) == [(400, 400), (0, 400)]


def test_a_flat_scene_has_no_details():
    assert details(np.full((50, 50), 7.0), (500, 500), 200, 3) == []
    assert details(np.full((50, 50), np.nan), (500, 500), 200, 3) == []


@pytest.fixture(scope="module")
def scene():
    """PAN 640 x 800 with texture at the lower right, MS at ratio 4, and the fused image."""
    rng = np.random.default_rng(5)
    truth = rng.uniform(300, 500, (4, 640, 800))
    truth[:, 240:, 400:] += rng.uniform(0, 600, (400, 400))
    ms = truth.reshape(4, 160, 4, 200, 4).mean(axis=(2, 4))
    pan = truth.mean(axis=0)
    return pan, ms, panflow.sharpen(pan, ms)


def cell(picture: Image.Image, column: int, height: int = 320) -> np.ndarray:
    """The scene's panel of a column."""
    left = GAP + column * (PANEL + GAP)
    return np.asarray(picture)[2 * LINE : 2 * LINE + height, left : left + PANEL].astype(float)


def test_quicklook_shows_the_scene_and_details_in_three_columns(scene):
    picture = quicklook(*scene, count=2)
    assert picture.size == (3 * PANEL + 4 * GAP, LINE + (LINE + 320 + GAP) + 2 * (LINE + PANEL + GAP))
    pan, ms, fused = (cell(picture, column) for column in range(3))
    assert (pan[..., 0] == pan[..., 1]).all()
    assert ms.mean() == pytest.approx(fused.mean(), abs=6), "one stretch for both"
    assert (ms[..., 0] != ms[..., 1]).any()


def test_a_brighter_result_looks_brighter(scene):
    pan, ms, fused = scene
    picture = quicklook(pan, ms, fused + 150, count=0)
    assert cell(picture, 2).mean() > cell(picture, 1).mean() + 30


def test_nodata_is_a_checkerboard_in_all_three(scene):
    pan, ms, fused = (image.copy() for image in scene)
    ms[:, :60] = np.nan
    fused[:, :240] = np.nan
    picture = quicklook(pan, ms, fused, count=1)
    for column in range(3):
        shown = cell(picture, column)
        assert set(np.unique(shown[:118])) == {190, 225}
        assert len(np.unique(shown[122:])) > 50


def test_quicklook_refuses_another_size(scene):
    pan, ms, fused = scene
    with pytest.raises(InputError, match=r"fused has shape \(4, 640, 799\): expected \(4, 640, 800\)"):
        quicklook(pan, ms, fused[:, :, 1:])


def test_a_small_scene_is_enlarged_and_has_no_details():
    rng = np.random.default_rng(6)
    pan, ms = rng.uniform(0, 1, (60, 60)), rng.uniform(0, 1, (3, 15, 15))
    assert quicklook(pan, ms, rng.uniform(0, 1, (3, 60, 60))).size == (3 * 360 + 4 * GAP, 2 * LINE + 360 + GAP)


def save(path, image, transform=CORNER, crs=UTM, descriptions=()):
    count, height, width = image.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": "float32"}
    with rasterio.open(path, "w", transform=transform, crs=crs, **profile) as file:
        file.write(image.astype("float32"))
        for i, text in enumerate(descriptions, 1):
            file.set_band_description(i, text)
    return str(path)


@pytest.fixture
def files(scene, tmp_path):
    pan, ms, fused = scene
    return {
        "fused_path": save(tmp_path / "fused.tif", fused),
        "pan_path": save(tmp_path / "pan.tif", pan[None]),
        "ms_specs": [save(tmp_path / "ms.tif", ms, CORNER * Affine.scale(4))],
        "out_png": tmp_path / "look.png",
    }


def look(**arguments) -> Image.Image:
    quicklook_file(**arguments)
    return Image.open(arguments["out_png"])


def close(a: Image.Image, b: Image.Image, column: int) -> bool:
    """The panels look alike: a correlation of their gray values beyond 0.99."""
    a, b = cell(a, column)[8:-8, 8:-8], cell(b, column)[8:-8, 8:-8]
    return np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.99


def test_files_look_as_arrays_do(scene, files):
    arrays, picture = quicklook(*scene), look(**files)
    assert picture.size == arrays.size
    assert all(close(picture, arrays, column) for column in range(3))


def test_band_files_and_picks_are_shown_in_the_same_colours(scene, files, tmp_path):
    whole = look(**files)
    _, ms, _ = scene
    first = files["ms_specs"][0]
    single = save(tmp_path / "second.tif", ms[1:2], CORNER * Affine.scale(4))
    picks = [f"{first},band=1", single, f"{first},band=3", f"{first},band=4"]
    assert np.array_equal(np.asarray(look(**files | {"ms_specs": picks})), np.asarray(whole))


def test_an_offset_of_ms_that_was_corrected_is_taken_back(scene, files, tmp_path):
    _, ms, _ = scene
    moved = save(tmp_path / "moved.tif", ms, CORNER * Affine.translation(-9, 14) * Affine.scale(4))
    arrays = quicklook(*scene)
    assert not close(look(**files | {"ms_specs": [moved]}), arrays, 1)
    assert close(look(**files | {"ms_specs": [moved]}, shift=(-14.0, 9.0)), arrays, 1)


def test_files_without_georeferencing_share_corners(scene, files, tmp_path):
    plain = save(tmp_path / "plain.tif", scene[1], Affine.identity(), None)
    picture = look(**files | {"ms_specs": [plain]})
    assert all(close(picture, quicklook(*scene), column) for column in range(3))


def test_a_result_in_another_crs_shows_pan_and_ms_on_its_own_grid(scene, files, tmp_path):
    """PAN and MS agree with the result of another tool, which here is the scene itself, warped."""
    crs = CRS.from_epsg(3857)
    transform, width, height = calculate_default_transform(UTM, crs, 800, 640, 500000, 5699680, 500400, 5700000)
    warped = np.full((4, height, width), np.nan)
    reproject(
        scene[2], warped, src_transform=CORNER, src_crs=UTM, dst_transform=transform, dst_crs=crs,
        dst_nodata=np.nan, resampling=Resampling.cubic,
    )  # fmt: skip
    picture = look(**files | {"fused_path": save(tmp_path / "warped.tif", warped, transform, crs)})
    pan, ms, fused = (cell(picture, column, 300).mean(axis=-1)[20:-20, 20:-20] for column in range(3))
    assert np.corrcoef(pan.ravel(), fused.ravel())[0, 1] > 0.95
    assert np.corrcoef(ms.ravel(), fused.ravel())[0, 1] > 0.8


def test_another_tools_choice_of_bands_is_shown_by_its_names(scene, files, tmp_path):
    _, _, fused = scene
    three = save(tmp_path / "three.tif", fused[[2, 0, 1]], descriptions=("red", "blue", "green"))
    assert np.array_equal(cell(look(**files | {"fused_path": three}), 2), cell(look(**files), 2))


@pytest.mark.parametrize("some, sensor", [((2, 1, 0, 3), "generic"), ((2, 1, 0), "landsat8")])
def test_bands_without_names_go_by_colour_interpretation_and_three_are_red_green_blue(
    scene, files, tmp_path, some, sensor
):
    expected = look(**files)
    _, ms, fused = scene
    moved = {"fused_path": save(tmp_path / "moved.tif", fused[list(some)])}
    moved["ms_specs"] = [save(tmp_path / "moved_ms.tif", ms[list(some)], CORNER * Affine.scale(4))]
    if len(some) == 4:
        with rasterio.open(moved["ms_specs"][0], "r+") as file:
            file.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.undefined]
    assert np.array_equal(np.asarray(look(**files | moved, sensor=sensor)), np.asarray(expected))


def test_what_cannot_be_read_or_written_is_named(files, tmp_path):
    with pytest.raises(MissingInput, match=r"fused file .*absent.tif does not exist"):
        quicklook_file(**files | {"fused_path": str(tmp_path / "absent.tif")})
    with pytest.raises(OutputError, match=r"the folder .*absent of .*look.png does not exist"):
        quicklook_file(**files | {"out_png": tmp_path / "absent" / "look.png"})
