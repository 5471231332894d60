"""What analysts lean on, from file to file."""

import json

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from rasters import drawn, load, save_pair

import panflow
from panflow.cli import cli
from panflow.errors import InputError
from panflow.files.sink import Profile
from panflow.scene import engine

USUAL = {"method": "mtf_glp_fs", "sensor": "ikonos", "register": "off", "overwrite": True, "jobs": 1}


@pytest.fixture
def files(tmp_path):
    return save_pair(tmp_path, *drawn(384)[:2])


def test_a_consistent_result_is_what_the_indices_see(files, tmp_path):
    """The bound that the report prints gives their R-ERGAS [scarpa2022]."""
    out = tmp_path / "out.tif"
    report = panflow.sharpen_file(*files, out, consistent=True, mtf="sensor", **USUAL)
    judged = panflow.assess_file(out, pan=files[0], ms=files[1], sensor="ikonos", register="off", mtf="sensor")
    ms = load(files[1]).astype(float)
    rms, most = (np.array(report.consistency[key]) for key in ("rms", "max"))
    expected = 100 / 4 * np.sqrt(((rms / ms.mean(axis=(1, 2))) ** 2).mean())
    assert (rms < 1).all() and (most < 0.1 * ms.std()).all() and (most >= rms).all()
    assert judged.indices["r_ergas"] == pytest.approx(expected, rel=0.05)
    with rasterio.open(out) as dataset:
        kept = json.loads(dataset.tags()["PANFLOW_REPORT"])
        assert json.loads(dataset.tags()["PANFLOW_OPTIONS"])["consistent"] is True
    assert kept["consistency"] == report.consistency


def test_consistent_blocks_show_no_seams(files, tmp_path, monkeypatch):
    options = {**USUAL, "consistent": True, "profile": Profile(dtype="float32", format="gtiff")}
    whole = panflow.sharpen_file(*files, tmp_path / "whole.tif", **options)
    monkeypatch.setattr(engine, "BLOCK", 128)
    parts = panflow.sharpen_file(*files, tmp_path / "parts.tif", **options)
    np.testing.assert_allclose(load(tmp_path / "parts.tif"), load(tmp_path / "whole.tif"), atol=0.05)
    assert parts.consistency["rms"] == pytest.approx(whole.consistency["rms"], rel=0.02)


def test_the_command_prints_the_bound(files, tmp_path):
    names = [str(name) for name in (*files, tmp_path / "out.tif")]
    done = CliRunner().invoke(cli, ["sharpen", *names, "--method", "gsa", "--sensor", "ikonos", "--consistent"])
    assert done.exit_code == 0 and "degraded again it is MS within" in done.stdout


def test_consistent_is_not_resumed(files, tmp_path):
    profile = Profile(format="gtiff")
    with pytest.raises(InputError, match="of one run"):
        panflow.sharpen_file(*files, tmp_path / "out.tif", consistent=True, resume=True, profile=profile, **USUAL)


def test_arrays_are_made_consistent_as_files_are(files, tmp_path):
    options = {"method": "gsa", "sensor": "ikonos", "mtf": "sensor", "consistent": True}
    pan, ms = (load(name).astype(float) for name in files)
    panflow.sharpen_file(
        *files, tmp_path / "out.tif", **options, register="off", profile=Profile(dtype="float32", format="gtiff")
    )
    np.testing.assert_allclose(load(tmp_path / "out.tif"), panflow.sharpen(pan, ms, **options), rtol=1e-4, atol=0.05)


# flags -----------------------------------------------------------------------------------------------------------


def flags_of(path):
    """Masks by name, as the tags of the file's band name the bits."""
    with rasterio.open(path) as dataset:
        assert dataset.dtypes == ("uint8",) and dataset.nodata is None and not dataset.overviews(1)
        mask, tags = dataset.read(1), dataset.tags(1)
        grid = dataset.transform, dataset.crs, dataset.shape
    bits = {text.partition(":")[0]: int(key.removeprefix("FLAG_")) for key, text in tags.items() if key[:5] == "FLAG_"}
    return {name: (mask & bit) > 0 for name, bit in bits.items()}, grid


@pytest.fixture
def marred(tmp_path):
    """A scene with something bright that PAN does not show, a hole in MS, a band that is cut at a limit, and a patch
    whose bands have nothing to do with PAN."""
    pan, ms, _ = (image.copy() for image in drawn(384))
    ms[:, 20:23, 70:73] = np.quantile(ms, 0.9, axis=(1, 2))[:, None, None] * 1.5
    ms[3] = np.minimum(ms[3], int(np.quantile(ms[3], 0.97)))
    patch = np.random.default_rng(0).permuted(ms[:, 60:84, 20:44].reshape(4, -1), axis=1)
    ms[:, 60:84, 20:44] = patch.reshape(4, 24, 24)
    ms[:, 50:54, 75:80] = 0
    return save_pair(tmp_path, pan, ms, nodata=0), ms


def test_flags_say_what_is_wrong_where(marred, tmp_path):
    files, ms = marred
    out, name = tmp_path / "out.tif", tmp_path / "flags.tif"
    report = panflow.sharpen_file(*files, out, analysis=panflow.Analysis(flags=name), **USUAL)
    flags, grid = flags_of(name)
    with rasterio.open(out) as dataset:
        assert grid == (dataset.transform, dataset.crs, dataset.shape)
        hole = dataset.read(1) == 0
    assert report.flagged == {flag: int(where.sum()) for flag, where in flags.items()}

    assert hole.sum() == 16 * 20 and flags["filled"][hole].all()
    assert flags["filled"].sum() < 2.5 * hole.sum() and not flags["filled"][:180].any()
    np.testing.assert_array_equal(flags["saturated"], np.kron(ms[3] == ms[3].max(), np.ones((4, 4), bool)))
    assert flags["moved"][80:92, 280:292].mean() > 0.7
    far = np.ones(hole.shape, bool)
    far[60:112, 260:312] = far[220:350, 60:200] = far[180:240, 280:340] = False
    assert flags["moved"][far].mean() < 0.002
    assert flags["low_injectability"][256:320, 96:160].mean() > 0.95
    assert flags["low_injectability"][far].mean() < 0.1


def test_clipped_is_what_the_report_counts(files, tmp_path):
    name = tmp_path / "flags.tif"
    options = {**USUAL, "profile": Profile(dtype="uint8"), "analysis": panflow.Analysis(flags=name)}
    report = panflow.sharpen_file(*files, tmp_path / "out.tif", **options)
    assert report.flagged["clipped"] == report.clipped_pixels > 0
    at_limit = np.isin(load(tmp_path / "out.tif"), (0, 255)).any(axis=0)
    assert at_limit[flags_of(name)[0]["clipped"]].all()


def test_flags_do_not_depend_on_blocks(marred, tmp_path, monkeypatch):
    files, _ = marred
    for block in (512, 128):
        monkeypatch.setattr(engine, "BLOCK", block)
        analysis = panflow.Analysis(flags=tmp_path / f"{block}.tif")
        panflow.sharpen_file(*files, tmp_path / "out.tif", analysis=analysis, **USUAL)
    np.testing.assert_array_equal(load(tmp_path / "128.tif"), load(tmp_path / "512.tif"))


def test_flags_leave_the_result_as_it_is(files, tmp_path):
    names = [str(name) for name in (*files, tmp_path / "out.tif")]
    options = ["--method", "gsa", "--sensor", "ikonos", "--flags", str(tmp_path / "flags.tif")]
    done = CliRunner().invoke(cli, ["sharpen", *names, *options])
    assert done.exit_code == 0 and "low_injectability" in done.stdout
    panflow.sharpen_file(*files, tmp_path / "plain.tif", method="gsa", sensor="ikonos")
    np.testing.assert_array_equal(load(tmp_path / "plain.tif"), load(tmp_path / "out.tif"))
    again = CliRunner().invoke(cli, ["sharpen", *names[:2], str(tmp_path / "other.tif"), *options])
    assert again.exit_code != 0 and not (tmp_path / "other.tif").exists()
