"""The plug-in for QGIS: how it calls the command, and, where QGIS is installed, its algorithms as QGIS runs them."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
import rasterio

from panflow import __version__, sensors
from panflow.data import synthetic

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "integrations/qgis"
QGIS = shutil.which("qgis_process.bin") or shutil.which("qgis_process")  # Debian's second is a wrapper that fails


@pytest.fixture(scope="module")
def runner():
    spec = importlib.util.spec_from_file_location("panflow_runner", FOLDER / "panflow_qgis/runner.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def executable(tmp_path_factory):
    """The command, as installed beside a Python of its own."""
    path = tmp_path_factory.mktemp("bin") / "panflow"
    path.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT / "src"} exec {sys.executable} -m panflow "$@"\n')
    path.chmod(0o755)
    return str(path)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scene")
    return synthetic.write(synthetic.scene(256, sensors.load("ikonos"), seed=1), folder, phase=(1.5, 1.5))


pytestmark = pytest.mark.skipif(os.name != "posix", reason="the command of these tests is a shell script")


def test_the_command_is_looked_for(runner, executable, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(runner, "FOLDERS", ())
    monkeypatch.delenv("PANFLOW", raising=False)
    with pytest.raises(runner.Failed, match="not installed"):
        runner.executable()
    monkeypatch.setattr(runner, "FOLDERS", (str(Path(executable).parent),))
    assert runner.executable() == executable
    monkeypatch.setenv("PANFLOW", "/nowhere/panflow")
    with pytest.raises(runner.Failed, match="/nowhere/panflow is no command"):
        runner.executable()
    assert runner.executable(executable) == executable


def test_what_is_meant_for_another_python_is_taken_away(runner, monkeypatch):
    for name in ("PYTHONHOME", "PYTHONPATH", "GDAL_DATA", "PROJ_LIB", "LD_LIBRARY_PATH"):
        monkeypatch.setenv(name, "/qgis")
    monkeypatch.setenv("HOME", "/home/me")
    given = runner.environment()
    assert "/qgis" not in given.values()
    assert given["HOME"] == "/home/me"


def test_names_are_listed(runner, executable):
    listed = runner.names(executable)
    assert listed["panflow"] == __version__
    assert {"gsa", "brovey"} <= {method["name"] for method in listed["methods"]}


def test_a_run_tells_how_far_it_is(runner, executable, files, tmp_path):
    shares, said = [], []
    words = ["sharpen", str(files["pan"]), str(files["ms"]), str(tmp_path / "out.tif"), "--method=gsa", "--json"]
    printed = runner.run(executable, words, lambda share, stage: shares.append((share, stage)), said.append)
    assert json.loads(printed)["method"] == "gsa"
    assert shares == sorted(shares, key=lambda each: each[0]) and shares[-1] == (1, "finish")
    assert not said


def test_a_failure_is_the_commands_sentence(runner, executable, files, tmp_path):
    words = ["sharpen", str(files["ms"]), str(files["pan"]), str(tmp_path / "out.tif"), "--method=gsa"]
    with pytest.raises(runner.Failed, match=r"^PAN file .* are PAN and MS swapped\?$") as failure:
        runner.run(executable, words)
    assert failure.value.code == 3
    with pytest.raises(runner.Failed, match="No such option"):
        runner.run(executable, ["sharpen", "--no-such"])


def test_cancelling_stops_the_command_and_leaves_nothing(runner, executable, files, tmp_path):
    seen = []
    words = ["sharpen", str(files["pan"]), str(files["ms"]), str(tmp_path / "out.tif"), "--method=gsa"]
    with pytest.raises(runner.Cancelled):
        runner.run(executable, words, lambda share, stage: seen.append(stage), cancelled=lambda: "fit" in seen)
    assert "finish" not in seen
    assert not list(tmp_path.iterdir())


def test_another_protocol_is_refused(runner, tmp_path):
    other = tmp_path / "panflow"
    other.write_text("""#!/bin/sh\necho '{"panflow": "9.0", "protocol": 2}' | tee /dev/stderr\n""")
    other.chmod(0o755)
    with pytest.raises(runner.Failed, match=r"panflow 9\.0 speaks protocol 2, this plug-in 1"):
        runner.names(str(other))
    with pytest.raises(runner.Failed, match="protocol"):
        runner.run(str(other), [])


def test_the_zip_is_one_folder_that_qgis_installs(tmp_path):
    subprocess.run(["make", "-s", "qgis", f"QGIS_ZIP={tmp_path / 'plugin.zip'}"], cwd=ROOT, check=True)
    with zipfile.ZipFile(tmp_path / "plugin.zip") as packed:
        names = packed.namelist()
        metadata = packed.read("panflow_qgis/metadata.txt").decode()
        ElementTree.fromstring(packed.read("panflow_qgis/icon.svg"))
    assert all(name.startswith("panflow_qgis/") and "__pycache__" not in name for name in names)
    assert {"panflow_qgis/__init__.py", "panflow_qgis/LICENSE"} <= set(names)
    assert re.search(rf"^version={re.escape(__version__)}$", metadata, re.M)


@pytest.fixture(scope="module")
def qgis(executable, tmp_path_factory):
    """Runs an algorithm of the plug-in: (exit code, stdout, stderr)."""
    if QGIS is None:
        pytest.skip("QGIS is not installed (Debian: apt-get install qgis python3-qgis)")
    home = tmp_path_factory.mktemp("home")
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    env = clean | {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "QT_QPA_PLATFORM": "offscreen"}
    env |= {"QGIS_PLUGINPATH": str(FOLDER), "PANFLOW": executable, "PYTHONDONTWRITEBYTECODE": "1"}
    env["PATH"] = os.defpath  # in an activated environment, QGIS's Python would take that one's libraries

    def run(*words):
        return subprocess.run([QGIS, *map(str, words)], env=env, capture_output=True, text=True)

    assert run("plugins", "enable", "panflow_qgis").returncode == 0
    return run


@pytest.mark.slow
def test_qgis_sharpens(qgis, files, tmp_path):
    out = tmp_path / "out.tif"
    done = qgis(
        *("--json", "run", "panflow:sharpen", "--", f"PAN={files['pan']}", f"MS={files['ms']}"),
        *("METHOD=gsa", "SENSOR=ikonos", f"OUTPUT={out}"),
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert results["OUTPUT"] == str(out) and abs(results["SHIFT_Y"]) < 0.2
    with rasterio.open(out) as dataset:
        assert (dataset.count, dataset.shape) == (4, (256, 256))


@pytest.mark.slow
def test_qgis_hears_why_it_failed(qgis, files, tmp_path):
    pair = f"PAN={files['ms']}", f"MS={files['pan']}"
    done = qgis("run", "panflow:sharpen", "--", *pair, "METHOD=gsa", f"OUTPUT={tmp_path / 'o.tif'}")
    assert done.returncode == 1
    assert "are PAN and MS swapped?" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_qgis_lists_degrades_and_assesses(qgis, files, tmp_path):
    listed = qgis("list").stdout
    for name in ("sharpen", "sharpenscene", "assess", "compare", "degrade", "batch"):
        assert f"panflow:{name}\t" in listed
    pair = f"PAN={files['pan']}", f"MS={files['ms']}"
    done = qgis("--json", "run", "panflow:degrade", "--", *pair, f"FOLDER={tmp_path / 'reduced'}")
    assert done.returncode == 0, done.stderr
    reduced = json.loads(done.stdout)["results"]
    done = qgis(
        *("--json", "run", "panflow:assess", "--", f"FUSED={reduced['REDUCED_REFERENCE']}"),
        *(f"REFERENCE={reduced['REDUCED_REFERENCE']}", f"TABLE={tmp_path / 'table.csv'}"),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["results"]["sam"] < 1e-3
    assert (tmp_path / "table.csv").read_text().startswith("index,value")


@pytest.mark.slow
def test_qgis_sharpens_a_scene_by_its_folder_or_its_item(qgis, files, tmp_path):
    folder = tmp_path / "a scene"
    folder.mkdir()
    for stem in ("pan", "ms"):
        shutil.copy(files[stem], folder)
    run = "--json", "run", "panflow:sharpenscene", "--", "METHOD=gsa", f"OUTPUT={tmp_path / 'out.tif'}"
    done = qgis(*run, f"SCENE={folder}", f"EXTRA=--save-fit '{tmp_path / 'the fit.json'}'")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["results"]["OUTPUT"] == str(tmp_path / "out.tif")
    assert (tmp_path / "the fit.json").exists()  # a name with a blank is one word
    names = {"pan": ["pan"], "ms": ["blue", "green", "red", "nir"]}
    assets = {
        stem: {"href": f"{stem}.tif", "bands": [{"eo:common_name": band} for band in bands]}
        for stem, bands in names.items()
    }
    item = {"type": "Feature", "stac_version": "1.1.0", "id": "x", "properties": {}, "assets": assets}
    (folder / "item.json").write_text(json.dumps(item))
    assert qgis(*run, f"ITEM={folder / 'item.json'}").returncode == 0
    both = qgis(*run, f"SCENE={folder}", f"ITEM={folder / 'item.json'}")
    assert both.returncode == 1 and "not both" in both.stderr
