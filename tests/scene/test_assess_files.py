"""A fused file judged: as arrays are, in tiles as on the whole, on the right grid."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp

import panflow
from panflow import sensors
from panflow.assessment import maps
from panflow.data import synthetic
from panflow.errors import GeometryError, InputError
from panflow.scene import assess as module
from panflow.scene.assess import assess_file

SENSOR = sensors.load("worldview3").select([1, 2, 4, 6])  # blue, green, red, nir1


@pytest.fixture(scope="module", params=(0.0, 0.2), ids=("full", "holed"))
def scene(request, tmp_path_factory) -> dict[str, str]:
    """A scene of 288 x 320 PAN pixels, and its fusion."""
    folder = tmp_path_factory.mktemp("scene")
    pair = synthetic.scene((288, 320), SENSOR, nodata=request.param, seed=3)
    paths = synthetic.write(pair, folder)
    fused = folder / "fused.tif"
    panflow.sharpen_file(paths["pan"], paths["ms"], fused, method="gsa", sensor=SENSOR, register="off", jobs=1)
    names = {"fused": fused, "pan": paths["pan"], "ms": paths["ms"], "reference": paths["truth"]}
    return {key: str(path) for key, path in names.items()}


def arrays(scene: dict[str, str]) -> dict[str, np.ndarray]:
    """The files as arrays, nan for nodata."""
    found = {}
    for key, path in scene.items():
        with rasterio.open(path) as file:
            found[key] = file.read(masked=True).astype(float).filled(np.nan)
    return found


def rewritten(scene: dict[str, str], key: str, path: Path, change=lambda image: image, **profile) -> dict[str, str]:
    """The scene with a changed copy of one of its files."""
    with rasterio.open(scene[key]) as file:
        image = change(file.read())
        kept = file.profile | {"driver": "GTiff", "count": len(image), "dtype": image.dtype}
        kept |= {"height": image.shape[1], "width": image.shape[2], "nodata": 0} | profile
        for name in ("blockxsize", "blockysize", "tiled", "interleave"):
            kept.pop(name, None)
    with rasterio.open(path, "w", **kept) as file:
        file.write(image)
    return scene | {key: str(path)}


@pytest.fixture
def small_tiles(monkeypatch):
    """Everything in tiles of 128 pixels or so."""
    monkeypatch.setattr(module, "MEMORY", module.BASE_MIB + 1)
    return {"jobs": 2}


def test_a_scene_is_judged_as_its_arrays_are(scene):
    found = assess_file(**scene, sensor=SENSOR, register="off")
    expected = panflow.assess(**arrays(scene), sensor=SENSOR)
    assert found.tiles == 1
    assert found.indices == pytest.approx(expected, rel=1e-9)
    assert set(found.indices) == set(panflow.names("indices"))


def test_tiles_give_the_same(scene, small_tiles):
    indices = {name: {} for name in panflow.names("indices") if not name.startswith("r_")}
    indices |= {name: {"phase": "nominal"} for name in ("r_sam", "r_ergas", "r_q", "r_q2n")}
    found = assess_file(**scene, sensor=SENSOR, register="off", indices=indices, **small_tiles)
    expected = panflow.assess(**arrays(scene), sensor=SENSOR, indices=indices)
    assert found.tiles == 4
    assert found.indices == pytest.approx(expected, rel=1e-7)
    assert found.notes == {}


def test_what_tiles_cannot_know_is_said(scene, small_tiles):
    indices = {"r_sam": {"phase": "searched"}, "qnr": {"variant": "global"}, "sam": {}}
    found = assess_file(**scene, sensor=SENSOR, register="off", indices=indices, **small_tiles)
    n = found.tiles
    assert found.notes == {"r_sam": f"phase searched in each of {n} tiles", "qnr": f"mean over {n} tiles"}
    whole = panflow.assess(**arrays(scene), sensor=SENSOR, indices=indices)
    assert found.indices["r_sam"] == pytest.approx(whole["r_sam"], rel=0.05)


def test_memory_decides_how_the_scene_is_cut(scene):
    found = assess_file(**scene, sensor=SENSOR, register="off", indices="sam", max_memory=1, jobs=2)
    assert found.tiles > 1
    assert any("memory limit is less than a tile needs" in text for text in found.warnings)


def test_what_the_eye_sees(scene, tmp_path):
    """The truth is consistent with MS but for noise; a brighter, redder copy of it is not."""
    truth = assess_file(scene["reference"], scene["pan"], scene["ms"], sensor=SENSOR, register="off", indices="d_rho")

    def change(image):
        brighter = image.copy()
        brighter[2] = np.minimum(image[2] * 1.5, 60000)
        brighter[:, 100, 100:110] = 65535
        return brighter

    worse = rewritten(scene, "fused", tmp_path / "redder.tif", change)
    expected = change(arrays(scene)["fused"])
    redder = assess_file(**worse, sensor=SENSOR, register="off", indices="d_rho")
    assert [band["band"] for band in redder.consistency] == ["blue", "green", "red", "nir1"]
    assert truth.consistency[2]["relative"] < 0.02 < 0.3 < redder.consistency[2]["relative"]
    assert abs(truth.drift["ndvi"]["mean"]) < 0.002 and truth.drift["ndvi"]["rms"] < 0.02
    assert redder.drift["ndvi"]["mean"] < -0.1
    assert redder.drift["ndwi"]["mean"] == pytest.approx(0, abs=0.02), "red is not in it"
    assert redder.clipped_pixels == 10 and truth.clipped_pixels == 0
    holes = int(np.isnan(expected).any(axis=0).sum())
    assert redder.nodata_pixels == redder.fused_nodata_pixels == holes


def test_holes_of_every_file_are_left_out(scene, tmp_path, small_tiles):
    def hole(image):
        image = image.copy()
        image[:, 200:230, 150:180] = 0
        return image

    changed = rewritten(scene, "reference", tmp_path / "truth.tif", hole)
    options = {"sensor": SENSOR, "register": "off", "indices": ["sam", "q2n", "d_s"]}
    found = assess_file(**changed, **options, **small_tiles)
    expected = panflow.assess(**arrays(changed), sensor=SENSOR, indices=options["indices"])
    assert found.indices == pytest.approx(expected, rel=1e-7)
    there = arrays(changed)
    missing = np.isnan(there["fused"]).any(axis=0) | np.isnan(there["reference"]).any(axis=0)
    assert found.nodata_pixels == missing.sum() > found.fused_nodata_pixels


def test_a_part_of_the_grid_is_judged_by_itself(scene, tmp_path):
    """A file on PAN's pixels that covers a part of them: the rest is nodata."""
    with rasterio.open(scene["fused"]) as file:
        transform = file.transform * Affine.translation(40, 32)
    cut = rewritten(scene, "fused", tmp_path / "cut.tif", lambda x: x[:, 32:224, 40:296], transform=transform)
    found = assess_file(**cut, sensor=SENSOR, register="off", indices=["sam", "ergas"])
    there = arrays(scene)
    inside = {key: there[key][:, 32:224, 40:296] for key in ("fused", "reference")}
    assert found.indices == pytest.approx(panflow.assess(**inside, sensor=SENSOR, indices=["sam", "ergas"]))


@pytest.mark.parametrize(
    "profile, words",
    [
        ({"transform": Affine(0.5, 0, 385000.2, 0, -0.5, 5820000)}, "0.40 pixels off"),
        ({"transform": Affine(0.6, 0, 385000, 0, -0.6, 5820000)}, "of 0.6 x 0.6 units"),
        ({"crs": "EPSG:32631"}, "another CRS"),
        ({"transform": Affine(0.5, 0, 395000, 0, -0.5, 5820000)}, "lies beside"),
    ],
)
def test_another_grid_is_refused(scene, tmp_path, profile, words):
    with pytest.raises(GeometryError, match=words):
        assess_file(**rewritten(scene, "fused", tmp_path / "moved.tif", **profile), sensor=SENSOR)


def test_what_does_not_fit_is_said(scene, tmp_path):
    three = rewritten(scene, "fused", tmp_path / "three.tif", lambda image: image[:3])
    bare = rewritten(scene, "fused", tmp_path / "bare.tif", lambda x: x[:, 1:], crs=None, transform=Affine.identity())
    for arguments, kind, words in (
        (three, InputError, "fused has 3 bands, MS 4"),
        (bare, GeometryError, "no georeferencing to place it by"),
        ({"fused": scene["fused"]}, InputError, "nothing to judge by"),
        ({"fused": scene["fused"], "pan": scene["pan"]}, InputError, "both PAN and MS"),
    ):
        with pytest.raises(kind, match=words):
            assess_file(**arguments, sensor=SENSOR)


def test_an_index_that_cannot_be_computed_is_said(scene, tmp_path):
    zero = np.array([0, 1, 1, 1], "uint16")[:, None, None]
    empty = rewritten(scene, "ms", tmp_path / "ms.tif", lambda image: image * zero, nodata=None)
    del empty["reference"]
    report = assess_file(**empty, indices="r_ergas", sensor=SENSOR)
    assert report.as_dict()["indices"]["r_ergas"] is None
    assert any("r_ergas cannot be computed" in text for text in report.warnings)


def test_a_reference_alone(scene):
    found = assess_file(scene["fused"], reference=scene["reference"], sensor="worldview3")
    there = arrays(scene)
    expected = panflow.assess(there["fused"], reference=there["reference"], sensor="worldview3")
    assert found.indices == pytest.approx(expected)
    assert found.phase is None and found.consistency == [] and found.drift == {}


def test_an_offset_of_ms_is_found_as_in_sharpen(tmp_path):
    pair = synthetic.scene(512, SENSOR, seed=5, shift=(1.0, -1.5))
    paths = synthetic.write(pair, tmp_path, phase=(1.5, 1.5))
    ends = paths["truth"], paths["pan"], paths["ms"]
    found = assess_file(*ends, sensor=SENSOR, indices="d_lambda_k")
    assert found.shift_applied
    assert found.shift_pixels == pytest.approx((1.0, -1.5), abs=0.2)
    assert found.consistency[0]["relative"] < 0.02
    off = assess_file(*ends, sensor=SENSOR, indices="d_lambda_k", register="off")
    assert off.consistency[0]["relative"] > 2 * found.consistency[0]["relative"]
    assert off.indices["d_lambda_k"] > found.indices["d_lambda_k"]


def test_maps_are_written_as_arrays_and_pictures(scene, tmp_path, monkeypatch):
    names = ["sam", "hqnr", "r_sam"]
    found = assess_file(**scene, sensor=SENSOR, register="off", indices=names, maps=tmp_path / "maps")
    expected = maps(**arrays(scene), sensor=SENSOR, indices=names)
    assert len(found.maps) == 6
    for name in names:
        array = np.load(tmp_path / "maps" / f"{name}.npy")
        np.testing.assert_allclose(array, expected[name], rtol=1e-4, atol=1e-5)
        assert (tmp_path / "maps" / f"{name}.png").stat().st_size > 1000
    monkeypatch.setattr(module, "MEMORY", module.BASE_MIB + 1)
    tiled = assess_file(**scene, sensor=SENSOR, register="off", indices=names, maps=tmp_path / "tiled", jobs=1)
    assert [Path(path).stem for path in tiled.maps[::2]] == ["sam", "hqnr"], "R-SAM's lies on the MS grid"
    for name in ("sam", "hqnr"):
        array = np.load(tmp_path / "tiled" / f"{name}.npy")
        np.testing.assert_allclose(array, expected[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [700, 128 * 9 + 1])
def test_tiles_begin_at_whole_blocks(size):
    cut = module._cut(size, 256, 128)
    assert cut[0][0] == 0 and cut[-1][1] == size
    assert all(a[1] == b[0] and b[0] % 128 == 0 for a, b in pairwise(cut))
    assert min(end - start for start, end in cut) >= 64


@pytest.mark.parametrize("how", ["alpha", "mask", "nan", "nodata"])
def test_a_result_may_tell_its_holes_in_many_ways(scene, tmp_path, how):
    hole = np.zeros((288, 320), bool)
    hole[40:60, 200:240] = True
    with rasterio.open(scene["reference"]) as file:
        image = file.read().astype("float32" if how == "nan" else "uint16")
        kept = {"crs": file.crs, "transform": file.transform}
    shape = {"driver": "GTiff", "height": 288, "width": 320, "dtype": image.dtype}
    path = tmp_path / "holed.tif"
    image[:, hole] = {"nan": np.nan, "nodata": 7}.get(how, 1)
    nodata = {"nodata": 7} if how == "nodata" else {}
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(
        path, "w", count=5 if how == "alpha" else 4, **shape, **kept, **nodata
    ) as file:  # fmt: skip
        if how == "alpha":
            file.colorinterp = [
                *file.colorinterp[:3],
                ColorInterp.undefined,
                ColorInterp.alpha,
            ]
            file.write(np.where(hole, 0, 255).astype("uint16"), 5)
        file.write(image, [1, 2, 3, 4])
        if how == "mask":
            file.write_mask(~hole)
    found = assess_file(path, reference=scene["reference"], sensor=SENSOR, indices="rmse")
    assert found.fused_nodata_pixels == 800
    assert found.indices["rmse"] == 0
