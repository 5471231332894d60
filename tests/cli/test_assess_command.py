"""`panflow assess`, `degrade` and `compare` as a user types them."""

import csv
import io
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner

import panflow
from panflow import sensors
from panflow.cli import cli
from panflow.data import synthetic

SENSOR = sensors.load("worldview3").select([1, 2, 4, 6])


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> dict[str, str]:
    """256 x 320 PAN pixels; MS also as one file a band."""
    folder = tmp_path_factory.mktemp("scene")
    pair = synthetic.scene((256, 320), SENSOR, seed=8)
    paths = {key: str(path) for key, path in synthetic.write(pair, folder).items()}
    fused = folder / "fused.tif"
    panflow.sharpen_file(paths["pan"], paths["ms"], fused, method="brovey", register="off", jobs=1)
    with rasterio.open(paths["ms"]) as file:
        for i, name in enumerate(file.descriptions, 1):
            profile = file.profile | {"count": 1}
            with rasterio.open(folder / f"{name}.tif", "w", **profile) as band:
                band.write(file.read([i]))
                band.descriptions = (name,)
    return paths | {"fused": str(fused), "folder": str(folder)}


def run(*arguments: object):
    return CliRunner(catch_exceptions=False).invoke(cli, [str(a) for a in arguments])


def assess(scene, *more):
    return run("assess", scene["fused"], "--pan", scene["pan"], "--ms", scene["ms"], "--register", "off", *more)


def test_json_is_one_object(scene):
    result = assess(scene, "--json", "--reference", scene["truth"])
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert set(found["indices"]) == set(panflow.names("indices"))
    assert found["sensor"] == "worldview3" and found["phase"] == [1.5, 1.5]
    assert {"intervals", "consistency", "drift", "clipped_pixels", "nodata_pixels", "shift_pixels"} <= set(found)
    same = run("assess", scene["truth"], "--reference", scene["truth"], "--indices", "psnr", "--json")
    assert json.loads(same.stdout)["indices"] == {"psnr": None}, "infinity is no JSON"


def test_the_table_names_all_that_was_asked_for(scene, tmp_path):
    result = assess(scene, "--indices", "hqnr,d_rho", "--csv", tmp_path / "table.csv")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split()[:2] == ["index", "value"]
    assert [line.split()[0] for line in lines[1:3]] == ["hqnr", "d_rho"]
    for words in ("RMSE to MS", "NDVI drift", "NDWI drift", "clipped pixels", "nodata pixels", "phase"):
        assert any(line.startswith(words) for line in lines)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "table.csv").read_text())))
    assert [row["index"] for row in rows] == ["hqnr", "d_rho"]
    assert f"{float(rows[0]['value']):.4f}" in lines[1]


def test_ms_may_come_as_band_files(scene):
    whole = json.loads(assess(scene, "--indices", "d_s", "--json").stdout)
    bands = [f"{scene['folder']}/{name}.tif" for name in ("blue", "green", "red", "nir1")]
    result = run("assess", scene["fused"], "--pan", scene["pan"], "--ms", *bands, "--register", "off",
                 "--sensor", "worldview3", "--indices", "d_s", "--json")  # fmt: skip
    assert json.loads(result.stdout)["indices"] == pytest.approx(whole["indices"])


def test_maps_are_written(scene, tmp_path):
    result = assess(scene, "--indices", "d_rho", "--maps", tmp_path / "maps")
    assert result.exit_code == 0
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == ["d_rho.npy", "d_rho.png"]


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        (["assess", "{fused}"], 3, "nothing to judge by"),
        (["assess", "{fused}", "{ms}", "--pan", "{pan}"], 3, "give MS by --ms"),
        (["assess", "{fused}", "--reference", "{truth}", "--indices", "sma"], 2, "did you mean 'sam'"),
        (["assess", "{ms}", "--reference", "{truth}"], 3, "expected the grid of 64 x 80 pixels"),
        (["degrade", "{pan}", "{ms}"], 3, "give PAN, MS and OUTDIR"),
        (["compare", "{pan}", "{ms}", "--methods", "gsaa"], 2, "did you mean 'gsa'"),
    ],
)
def test_errors_are_sentences(scene, arguments, code, words):
    command = [sys.executable, "-c", "from panflow.cli import main; main()", *(a.format(**scene) for a in arguments)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == code
    assert words in result.stderr and "Traceback" not in result.stderr


def test_degrade_then_assess(scene, tmp_path):
    result = run("degrade", scene["pan"], scene["ms"], tmp_path / "low", "--register", "off")
    assert result.exit_code == 0
    assert "64 x 80 PAN pixels, worldview3" in result.stdout
    found = run("degrade", scene["pan"], scene["ms"], tmp_path / "low", "--register", "off", "--overwrite", "--json")
    assert json.loads(found.stdout)["phase"] == [1.5, 1.5]
    with rasterio.open(tmp_path / "low" / "reference.tif") as reference, rasterio.open(scene["ms"]) as ms:
        assert np.array_equal(reference.read(), ms.read())


def test_compare_marks_the_best(scene, tmp_path):
    options = ["--methods", "exp,gsa,brovey", "--side", 128, "--register", "off", "--out", tmp_path / "out"]
    result = run("compare", scene["pan"], scene["ms"], *options, "--markdown", "-q")
    assert result.exit_code == 0
    header, _, *rows = result.stdout.strip().splitlines()
    titles = "detail gain | detail correlation | fine colour | R-ERGAS | D_lambda_K | D_s | HQNR | D_rho | SAM | ERGAS"
    assert header.startswith(f"| method | {titles} | Q2n | SCC | fit s | s/MPix")
    cells = [row.strip("| ").split(" | ") for row in rows]
    assert [row[0] for row in cells] == ["exp", "gsa", "brovey"]
    ergas = [float(row[6].strip("*")) for row in cells]
    assert [row[6].startswith("**") for row in cells] == [value == min(ergas) for value in ergas]
    assert (tmp_path / "out" / "crops-1.png").stat().st_size > 10000


@pytest.mark.skipif(shutil.which("gdal_pansharpen.py") is None, reason="gdal_pansharpen.py is not installed")
def test_a_file_of_gdal_is_judged(scene, tmp_path):
    out = tmp_path / "gdal.tif"
    subprocess.run(["gdal_pansharpen.py", "-q", "-r", "cubic", scene["pan"], scene["ms"], str(out)], check=True)
    result = run("assess", out, "--pan", scene["pan"], "--ms", scene["ms"], "--reference", scene["truth"], "--json")
    found = json.loads(result.stdout)
    assert found["nodata_pixels"] == 0 and found["tiles"] == 1
    with rasterio.open(out) as file, rasterio.open(scene["truth"]) as truth:
        expected = panflow.assess(file.read(), reference=truth.read(), sensor=SENSOR)
    assert {name: found["indices"][name] for name in expected} == pytest.approx(expected, rel=1e-9)
    weighted = json.loads(assess(scene, "--json", "--reference", scene["truth"]).stdout)
    assert found["indices"]["sam"] == pytest.approx(weighted["indices"]["sam"], rel=0.2), "both are Brovey"
