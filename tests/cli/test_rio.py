"""`rio sharpen`: the bytes of `panflow sharpen`, its errors as sentences, and nothing heavy at rio's start."""

import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner

from panflow import cli

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def rio():
    plugins = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["rasterio.rio_plugins"]
    module, _, name = plugins["sharpen"].partition(":")
    return getattr(import_module(module), name)


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scene")
    assert cli.run(["synthesize", str(folder), "--size", "128", "--overwrite"]) == 0
    return folder


def test_the_same_file(rio, scene, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    out = tmp_path / "out.tif"
    arguments = [str(scene / "pan.tif"), str(scene / "ms.tif"), str(out), "--method", "gsa", "--quiet", "--overwrite"]
    assert cli.run(["sharpen", *arguments]) == 0
    expected = out.read_bytes()
    done = CliRunner().invoke(rio, arguments)
    assert done.exit_code == 0 and out.read_bytes() == expected


def test_errors_are_sentences(rio, scene, tmp_path):
    swapped = [str(scene / "ms.tif"), str(scene / "pan.tif"), str(tmp_path / "out.tif")]
    done = CliRunner().invoke(rio, swapped)
    assert done.exit_code == 3 and isinstance(done.exception, SystemExit)
    assert done.output.strip().startswith("Error: ") and "swapped?" in done.output and "Traceback" not in done.output
    assert CliRunner().invoke(rio, [*swapped, "--method", "gsaa"]).exit_code == 2


def test_rio_starts_without_what_it_need_not_have():
    code = "import sys, panflow.cli._rio; print(*{name.partition('.')[0] for name in sys.modules})"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "onnxruntime", "h5py", "scipy", "xarray", "matplotlib"} & set(modules)
