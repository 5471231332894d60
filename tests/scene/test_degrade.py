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
from panflow.scene.opening import opened

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
    as_made = {"sensor": reduced.sensor, "mtf": "sensor", "phase": reduced.common_phase}
    fused = panflow.sharpen(pan_low, low, method="gsa", **as_made)
    expected = panflow.assess(fused, pan_low, low, truth, **as_made)
    assert found.indices == pytest.approx(expected, rel=2e-4)


GAINS = (0.11, 0.22, 0.33, 0.44)


@pytest.fixture(scope="module")
def reduced(scene, tmp_path_factory):
    pan, ms, _ = scene
    return degrade_file(pan, ms, tmp_path_factory.mktemp("reduced"), mtf=GAINS, **EXACT)


def gains_of(pan, ms, **said) -> tuple[str, tuple[float, ...]]:
    with opened(Scene.of(pan, ms, **said)) as ready:
        return ready.mtf.source, ready.source.sensor.gains


def test_the_gains_that_a_pair_was_made_with_are_taken_from_its_files(reduced):
    pan, ms = (reduced.files[name] for name in ("pan", "ms"))
    assert gains_of(pan, ms) == ("recorded", GAINS)
    assert gains_of(pan, [f"{ms},band=3", f"{ms},band=1"]) == ("recorded", (GAINS[2], GAINS[0]))
    assert gains_of(pan, ms, mtf="0.4") == ("given", (0.4,) * 4)
    assert gains_of(pan, ms, mtf="sensor")[0] == "sensor"
    assert gains_of(pan, ms, arithmetic="toolbox")[0] == "sensor"


def test_what_was_not_reduced_together_has_no_recorded_gains(scene, reduced):
    pan, _, _ = scene
    assert gains_of(pan, reduced.files["ms"])[0] != "recorded"
    assert gains_of(pan, reduced.files["reference"])[0] != "recorded"


def test_a_report_says_that_gains_are_recorded(reduced, tmp_path):
    files = reduced.files
    report = panflow.sharpen_file(files["pan"], files["ms"], tmp_path / "out.tif", method="mtf_glp")
    assert ("MTF gains", "0.11, 0.22, 0.33, 0.44, as recorded by degrade") in report.lines()


def test_without_georeferencing_the_recorded_phase_is_taken(scene, tmp_path):
    for name in scene[:2]:
        with rasterio.open(name) as file, rasterio.open(tmp_path / name.rpartition("/")[2], "w", **plain(file)) as bare:
            bare.write(file.read())
    given = {"sensor": SENSOR, "register": "1.3,-0.7"}
    found = degrade_file(tmp_path / "pan.tif", tmp_path / "ms.tif", tmp_path / "out", **given)
    source = Source(Scene.of(found.files["pan"], found.files["ms"]))
    assert found.phase != pytest.approx([(r - 1) / 2 for r in found.ratio])
    assert source.placement.phase == found.phase
    assert not source.placement.notes
    source.close()


def plain(file) -> dict:
    return {k: v for k, v in file.profile.items() if k not in ("crs", "transform")}


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
