"""One fit for many scenes: kept in a file to the last digit, refused where it does not suit, without seams."""

import json
from dataclasses import replace

import numpy as np
import pytest
from rasters import drawn, grid, load, save, save_pair

import panflow
from panflow import registry
from panflow.errors import InputError, MissingInput
from panflow.files.scene import Scene
from panflow.files.sink import Profile
from panflow.scene import engine
from panflow.scene.fit import Fit
from panflow.scene.sharpen import fit_files


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return save_pair(tmp_path_factory.mktemp("scene"), *drawn(256, shift=(0.8, -0.6))[:2])


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(engine, "BLOCK", 64)


def run(files, out, **options):
    usual = {"sensor": "ikonos", "jobs": 1, "overwrite": True, "profile": Profile(format="gtiff", dtype="float32")}
    report = panflow.sharpen_file(*files, out, **usual | options)
    return load(out), report


@pytest.mark.parametrize("method", [*registry.names("methods"), "bandwise"])
def test_a_fit_from_a_file_gives_the_same_bits(files, tmp_path, method):
    options = {"method": method, "pixels": (60, 60, 110, 110)}
    own, report = run(files, tmp_path / "out.tif", save_fit=tmp_path / "fit.json", register="0.8,-0.6", **options)
    again, other = run(files, tmp_path / "out.tif", fit=tmp_path / "fit.json", **options)
    assert np.array_equal(own, again)
    assert report.shift_applied and other.shift_pixels == report.shift_pixels
    assert other.mtf_gains == report.mtf_gains and other.mtf_source == report.mtf_source


@pytest.mark.parametrize("transform", sorted(registry.names("transforms")))
def test_transforms_keep_their_tables(files, tmp_path, transform):
    from panflow.learned.file import build, save

    sections = {"network": {"name": "pnn", "bands": 4}, "objective": {"name": "regression"}}
    save(build({**sections, "transform": {"name": transform}}), tmp_path / "m.safetensors")
    options = {"method": tmp_path / "m.safetensors", "register": "off", "mtf": "sensor"}
    own, _ = run(files, tmp_path / "out.tif", save_fit=tmp_path / "fit.json", **options)
    again, _ = run(files, tmp_path / "out.tif", fit=tmp_path / "fit.json", **options | {"mtf": "auto"})
    assert np.array_equal(own, again)


def halves(folder):
    """The left and the right part of a scene, as files of their own, with 192 PAN columns in common."""
    pan, ms = (image[:, : image.shape[1] // 3] for image in drawn(384, shift=(0.8, -0.6))[:2])
    for name, (west, east) in {"left": (0, 288), "right": (96, 384)}.items():
        (folder / name).mkdir()
        yield (
            save(folder / name / "pan.tif", pan[..., west:east], grid(column=west)),
            save(folder / name / "ms.tif", ms[..., west // 4 : east // 4], grid(2.0, column=west)),
        )


@pytest.mark.parametrize("method", ["gsa", "mtf_glp_fs", "bandwise"])
def test_overlapping_halves_show_no_seam(tmp_path, method):
    """With one fit they are equal where they overlap, but for what sees an edge; each with its own they are not."""
    parts = list(halves(tmp_path))
    fit = fit_files([Scene.of(*each, sensor="ikonos") for each in parts], method=method)
    rim = 88  # the farthest that one of the methods sees

    def overlap(**options):
        options |= {"method": method, "profile": Profile(format="gtiff")}
        left, right = (run(each, tmp_path / "out.tif", **options)[0].astype(int) for each in parts)
        return np.abs(left[..., 96 + rim : 288 - rim] - right[..., rim : 192 - rim]).max()

    assert overlap(fit=fit) == 0 < overlap()


def test_a_joint_fit_is_that_of_all_pixels(tmp_path):
    """Of two scenes with other contrasts: brovey's means are those of both."""
    pan, ms, _ = drawn()
    scenes = []
    for k, factor in enumerate((1, 2)):
        (tmp_path / str(k)).mkdir()
        scenes.append(Scene.of(*save_pair(tmp_path / str(k), pan * factor, ms * factor), sensor="ikonos"))
    single = [fit_files([scene], method="brovey", weights="mean") for scene in scenes]
    both = fit_files(scenes, method="brovey", weights="mean").state["moments"]
    count, mean = (sum(getattr(fit.state["moments"], name) for fit in single) for name in ("count", "mean"))
    assert np.array_equal(both.count, count)
    assert np.allclose(both.mean, mean / 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "brovey"}, "the fit is of the method gsa, not of brovey"),
        ({"sensor": "quickbird"}, "the fit is of the sensor ikonos .*, and the scene of quickbird"),
        ({"arithmetic": "toolbox"}, "by the standard arithmetic, and toolbox is asked for"),
        ({"mtf": "sensor"}, "expected auto, as the fit rests on its own MTF"),
    ],
)
def test_a_fit_that_does_not_suit_is_refused(files, tmp_path, options, message):
    fit = fit_files([Scene.of(*files, sensor="ikonos")], method="gsa")
    with pytest.raises(InputError, match=message):
        run(files, tmp_path / "out.tif", **{"method": "gsa", "fit": fit} | options)
    assert not (tmp_path / "out.tif").exists()


def test_a_fit_of_other_bands_ratios_and_versions_is_refused(files, tmp_path):
    fit = fit_files([Scene.of(*files, sensor="ikonos")], method="gsa")
    with pytest.raises(InputError, match="expected the same bands"):
        run((files[0], [f"{files[1]},band={k}" for k in (3, 2, 1)]), tmp_path / "out.tif", method="gsa", fit=fit)
    with pytest.raises(InputError, match="of the ratio 3 x 3, and the scene of 4 x 4"):
        run(files, tmp_path / "out.tif", method="gsa", fit=replace(fit, ratio=(3.0, 3.0)))
    (tmp_path / "fit.json").write_text(replace(fit, version="0.0.1").text)
    with pytest.raises(InputError, match=r"is of panflow 0\.0\.1"):
        Fit.read(tmp_path / "fit.json")


def test_weights_are_part_of_the_fit(files, tmp_path):
    fit = fit_files([Scene.of(*files, sensor="ikonos")], method="bandwise")
    other = replace(fit, state={**fit.state, "network": "0" * 64})
    with pytest.raises(InputError, match="a network with other weights"):
        run(files, tmp_path / "out.tif", method="bandwise", fit=other)
    with pytest.raises(InputError, match="expected no fit of another one"):
        run(files, tmp_path / "out.tif", method="bandwise", fit=fit, adapt=1)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"panflow_fit": {}}', '{"panflow_fit": {"version": {"os": {}}}}', "{"]
)
def test_what_is_no_fit(tmp_path, text):
    (tmp_path / "fit.json").write_text(text)
    with pytest.raises(InputError, match="is no fit"):
        Fit.read(tmp_path / "fit.json")
    with pytest.raises(MissingInput):
        Fit.read(tmp_path / "none.json")


def test_a_given_offset_goes_before_the_fits(files, tmp_path):
    fit = fit_files([Scene.of(*files, sensor="ikonos")], method="gsa")
    assert run(files, tmp_path / "out.tif", method="gsa", fit=fit, register="off")[1].shift_applied is False
    assert run(files, tmp_path / "out.tif", method="gsa", fit=fit, register="0.5,0.25")[1].shift_pixels == (0.5, 0.25)


def test_where_an_offset_is_searched_the_fits_is_taken(files, tmp_path):
    run(files, tmp_path / "out.tif", save_fit=tmp_path / "fit.json", register="0.5,-0.5", method="gsa")
    _, report = run(files, tmp_path / "out.tif", fit=tmp_path / "fit.json", register="auto:8", method="gsa")
    assert report.shift_pixels == (0.5, -0.5)


def test_scenes_of_other_sensors_have_no_joint_fit(files):
    with pytest.raises(InputError, match="expected scenes of one sensor"):
        fit_files([Scene.of(*files, sensor=name) for name in ("ikonos", "quickbird")], method="gsa")


def test_fits_hold_numbers_that_json_has_not(files, tmp_path):
    fit = fit_files([Scene.of(*files, sensor="ikonos", register="0,0")], method="gsa")
    assert np.isnan(fit.offset.r2_before)
    (tmp_path / "fit.json").write_text(fit.text)
    json.loads(fit.text, parse_constant=pytest.fail)
    assert np.isnan(Fit.read(tmp_path / "fit.json").offset.r2_before)
