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
    with pytest.raises(InputError, match="measured in one run"):
        panflow.sharpen_file(*files, tmp_path / "out.tif", consistent=True, resume=True, profile=profile, **USUAL)


def test_arrays_are_made_consistent_as_files_are(files, tmp_path):
    options = {"method": "gsa", "sensor": "ikonos", "mtf": "sensor", "consistent": True}
    pan, ms = (load(name).astype(float) for name in files)
    panflow.sharpen_file(
        *files, tmp_path / "out.tif", **options, register="off", profile=Profile(dtype="float32", format="gtiff")
    )
    np.testing.assert_allclose(load(tmp_path / "out.tif"), panflow.sharpen(pan, ms, **options), rtol=1e-4, atol=0.05)
