"""Wald's protocol from files to files equals that on arrays."""

import numpy as np
import pytest
import rasterio

import panflow
from panflow import sensors
from panflow.data import synthetic
from panflow.errors import InputError, OutputExists
from panflow.files.scene import Scene
from panflow.files.source import Source
from panflow.scene import degrade as module
from panflow.scene.assess import assess_file
from panflow.scene.degrade import degrade_file

SENSOR = sensors.load("worldview3").select([1, 2, 4, 6])
EXACT = {"sensor": SENSOR, "register": "off"}


@pytest.fixture(scope="module", params=[(4, None, 0.0), (4, (0.5, 2.25), 0.15), (3, (1.0, 1.0), 0.0)])
def scene(request, tmp_path_factory):
    ratio, phase, nodata = request.param
    folder = tmp_path_factory.mktemp("scene")
    pair = synthetic.scene((384, 336), SENSOR, ratio=ratio, phase=phase, nodata=nodata, seed=2)
    paths = synthetic.write(pair, folder)
    return str(paths["pan"]), str(paths["ms"]), pair.common_phase


def read(path) -> np.ndarray:
    with rasterio.open(path) as file:
        return file.read(masked=True).astype(float).filled(np.nan)


def nan_outside(image, valid):
    return image if valid is None else np.where(valid, image, np.nan)


def test_files_are_the_arrays(scene, tmp_path):
    pan, ms, phase = scene
    found = degrade_file(pan, ms, tmp_path / "out", **EXACT)
    expected = panflow.degrade(read(pan), read(ms), sensor=SENSOR, phase=phase)
    assert found.phase == pytest.approx(expected.common_phase)
    for name, image, valid in (
        ("pan", expected.pan, expected.pan_valid),
        ("ms", expected.ms, expected.ms_valid),
        ("reference", expected.reference, expected.pan_valid),
    ):
        truth = nan_outside(image, None if valid is None else valid[0])
        np.testing.assert_allclose(read(found.files[name]), truth, rtol=1e-6)


def test_the_files_lie_where_they_say(scene, tmp_path):
    """The reference on MS's grid, and the reduced pair with the phase it was made with."""
    pan, ms, _ = scene
    found = degrade_file(pan, ms, tmp_path, **EXACT)
    with rasterio.open(ms) as original, rasterio.open(found.files["reference"]) as reference:
        assert reference.transform.almost_equals(original.transform, 1e-9)
        assert reference.crs == original.crs
        assert reference.descriptions == original.descriptions
    source = Source(Scene.of(found.files["pan"], found.files["ms"]))
    assert source.placement.ratio == pytest.approx(found.ratio)
    assert source.placement.phase == pytest.approx(found.phase, abs=1e-6)
    assert source.sensor.name == "worldview3"
    source.close()


def test_sharpening_the_files_scores_as_the_arrays_do(scene, tmp_path):
    pan, ms, phase = scene
    files = degrade_file(pan, ms, tmp_path, **EXACT).files
    out = tmp_path / "fused.tif"
    panflow.sharpen_file(
        files["pan"], files["ms"], out, method="gsa", profile=panflow.Profile("float32"), jobs=1, **EXACT
    )
    found = assess_file(out, files["pan"], files["ms"], files["reference"], **EXACT)
    reduced = panflow.degrade(read(pan), read(ms), sensor=SENSOR, phase=phase)
    pan_low, low, truth = (
        nan_outside(image, None if valid is None else valid[0])
        for image, valid in (
            (reduced.pan, reduced.pan_valid),
            (reduced.ms, reduced.ms_valid),
            (reduced.reference, reduced.pan_valid),
        )
    )
    fused = panflow.sharpen(pan_low, low, method="gsa", sensor=SENSOR, phase=reduced.common_phase)
    expected = panflow.assess(fused, pan_low, low, truth, sensor=SENSOR, phase=reduced.common_phase)
    assert found.indices == pytest.approx(expected, rel=2e-4)


def test_nothing_is_replaced_unasked(scene, tmp_path):
    pan, ms, _ = scene
    (tmp_path / "ms.tif").write_text("mine")
    with pytest.raises(OutputExists, match=r"ms\.tif exists"):
        degrade_file(pan, ms, tmp_path, **EXACT)
    assert [path.name for path in tmp_path.iterdir()] == ["ms.tif"]
    degrade_file(pan, ms, tmp_path, overwrite=True, **EXACT)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ms.tif", "pan.tif", "reference.tif"]
    with pytest.raises(InputError, match="is one of the inputs"):
        degrade_file(tmp_path / "pan.tif", tmp_path / "ms.tif", tmp_path, overwrite=True, **EXACT)


def test_a_scene_beyond_memory_is_refused(scene, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LIMIT", 1000)
    with pytest.raises(InputError, match="384 x 336 pixels: expected at most"):
        degrade_file(*scene[:2], tmp_path, **EXACT)
