"""Methods on the same crops: fitted on the whole scene, judged as arrays are."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio

import panflow
from panflow import sensors
from panflow.data import synthetic
from panflow.errors import InputError
from panflow.files.scene import Scene
from panflow.files.source import Source
from panflow.scene import compare as module
from panflow.scene.compare import FULL, REDUCED, compare_files, pick
from panflow.scene.memory import Peak

SENSOR = sensors.load("worldview3").select([1, 2, 4, 6])
EXACT = {"sensor": SENSOR, "register": "off"}


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """384 x 512 PAN pixels of which a sixth is nodata."""
    pair = synthetic.scene((384, 512), SENSOR, nodata=0.15, seed=4)
    paths = synthetic.write(pair, tmp_path_factory.mktemp("scene"))
    return str(paths["pan"]), str(paths["ms"])


def read(path) -> np.ndarray:
    with rasterio.open(path) as file:
        return file.read(masked=True).astype(float).filled(np.nan)


def test_scores_are_those_of_the_arrays(scene):
    pan, ms = map(read, scene)
    found = compare_files(*scene, ["exp", "gsa"], side=128, crops=2, **EXACT)
    reduced = panflow.degrade(pan, ms, sensor=SENSOR)
    low, small, truth = (
        np.where(valid[0], image, np.nan)
        for image, valid in (
            (reduced.pan, reduced.pan_valid),
            (reduced.ms, reduced.ms_valid),
            (reduced.reference, reduced.pan_valid),
        )
    )
    for score in found.scores:
        fused = panflow.sharpen(pan, ms, method=score.method, sensor=SENSOR)
        coarse = panflow.sharpen(low, small, method=score.method, sensor=SENSOR, phase=reduced.common_phase)
        for ((top, bottom, left, right), _), crop in zip(found.crops, score.crops):
            at = (..., slice(top, bottom), slice(left, right))
            under = (..., slice(top // 4, bottom // 4), slice(left // 4, right // 4))
            # indices without reference look beyond a crop's border at MS, which arrays have not: a small difference
            expected = panflow.assess(fused[at], pan[at], ms[under], sensor=SENSOR, indices=FULL)
            assert {name: crop[name] for name in FULL} == pytest.approx(expected, rel=0.05, abs=2e-3)
            # SCC's gradients do not end at the crop's border
            expected = panflow.assess(coarse[under], reference=truth[under], sensor=SENSOR, indices=REDUCED[:3])
            assert {name: crop[name] for name in REDUCED[:3]} == pytest.approx(expected, rel=2e-3)
            assert 0 < crop["scc"] <= 1
        assert score.full["d_s"] == pytest.approx(np.mean([crop["d_s"] for crop in score.crops]))
        assert score.seconds > 0 and not score.failed


def test_crops_go_from_least_to_most_textured(scene):
    source = Source(Scene.of(*scene, sensor=SENSOR))
    chosen = pick(source, 3, 128)
    assert [title for _, title in chosen] == ["least textured", "median texture", "most textured"]
    pan = read(scene[0])[0]
    crops = [pan[top:bottom, left:right] for (top, bottom, left, right), _ in chosen]
    assert all(np.isfinite(crop).mean() >= 0.9 and crop.shape == (128, 128) for crop in crops)
    slopes = [np.nanmedian(np.abs(np.diff(crop))) for crop in crops]
    assert slopes[0] < slopes[2]
    assert [title for _, title in pick(source, 1, 128)] == ["most textured"]
    source.close()


def test_the_sheet_shows_pan_ms_and_every_method(scene, tmp_path):
    from PIL import Image

    names = ["exp", "gsa", "brovey", "hpf", "sfim", "ihs", "mf"]
    found = compare_files(*scene, names, side=128, crops=1, out=tmp_path / "new" / "out", **EXACT)
    assert [path.rsplit("/", 1)[-1] for path in found.sheets] == ["crops-1.png", "crops-2.png"]
    first, second = (Image.open(path) for path in found.sheets)
    assert first.width == 8 * 264 + 8 and second.width == 3 * 264 + 8


@pytest.mark.parametrize(("limit", "offset", "shown"), [(256, 0, 128), (96, 16, 96)])
def test_the_sheet_names_the_pixels_that_it_shows(scene, tmp_path, monkeypatch, limit, offset, shown):
    sheet = {}
    monkeypatch.setattr(module, "PANEL", limit)
    monkeypatch.setattr(
        module.picture, "contact_sheet", lambda crops, titles, *_, **__: sheet.update(crops, titles=titles)
    )
    ((top, _, left, _), _), *_ = compare_files(*scene, ["exp"], side=128, crops=1, out=tmp_path, **EXACT).crops
    y, x = top + offset, left + offset
    assert sheet["titles"] == [f"most textured: {shown} x {shown} PAN pixels from row {y}, column {x}"]
    np.testing.assert_array_equal(sheet["PAN"][0][0], read(scene[0])[0, y : y + shown, x : x + shown])


def test_a_method_that_cannot_serve_is_reported(scene, monkeypatch):
    def refuse(pair):
        raise InputError("not for this scene")

    load = module.zoo.load

    class Refusing:
        halo = staticmethod(lambda ratio: 8)
        fit = staticmethod(lambda scene: refuse)

    monkeypatch.setattr(module.zoo, "load", lambda name, **_: Refusing() if name == "gs" else load(name))
    failed, done = compare_files(*scene, ["gs", "exp"], side=128, crops=1, **EXACT).scores
    assert failed.failed == "not for this scene" and failed.full == {}
    assert not done.failed and set(done.full) == set(FULL)


def test_a_scene_without_texture_is_refused(tmp_path):
    pair = synthetic.scene((128, 128), SENSOR, seed=1)
    flat = replace(pair, pan=0 * pair.pan + 500, ms=0 * pair.ms + 500)
    paths = synthetic.write(flat, tmp_path)
    with pytest.raises(InputError, match="no crop of 64 x 64 PAN pixels has data and texture"):
        compare_files(paths["pan"], paths["ms"], ["exp"], side=64, **EXACT)


def test_the_peak_counts_what_work_allocates():
    with Peak() as peak:
        np.ones(2**24).sum()
    if peak.mib is None:
        pytest.skip("this system does not tell the peak of a process's memory")
    assert 100 < peak.mib < 200
