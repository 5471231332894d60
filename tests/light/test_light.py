"""The base install, alone: the README's main job without torch. `make test-light` makes such an environment."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import rasterio

pytestmark = pytest.mark.skipif(bool(find_spec("torch")), reason="of an install without torch: make test-light")

LARGEST = 600  # MiB of an environment with pip and panflow


def panflow(*arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess:
    done = subprocess.run([sys.executable, "-m", "panflow", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scene")
    panflow("synthesize", folder, "--sensor", "ikonos", "--size", "192", "--overwrite")
    return folder


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return file.read().astype(float)


def test_it_is_light():
    files = (Path(folder, name) for folder, _, names in os.walk(sys.prefix) for name in names)
    assert sum(file.stat().st_blocks * 512 for file in files if not file.is_symlink()) / 2**20 < LARGEST


def test_the_default_sharpens(scene, tmp_path):
    out, picture = tmp_path / "sharp.tif", tmp_path / "look.png"
    done = panflow("sharpen", scene / "pan.tif", scene / "ms.tif", out, "--quicklook", picture, "--json")
    report = json.loads(done.stdout)
    assert report["method"] == "bandwise" and report["evaluations"] == 1 and picture.stat().st_size > 0
    panflow("sharpen", scene / "pan.tif", scene / "ms.tif", tmp_path / "exp.tif", "--method", "exp")
    truth = read(scene / "truth.tif")
    errors = [np.sqrt(((read(tmp_path / name) - truth) ** 2).mean()) for name in ("sharp.tif", "exp.tif")]
    assert errors[0] < 0.7 * errors[1]
    panflow("sharpen", scene / "pan.tif", scene / "ms.tif", tmp_path / "one.tif", "--jobs", "1")
    assert np.array_equal(read(tmp_path / "one.tif"), read(out))


def test_rio_has_the_command(scene, tmp_path):
    rio = [Path(sys.prefix, "bin/rio"), "sharpen", scene / "pan.tif", scene / "ms.tif"]
    done = subprocess.run([*rio, tmp_path / "out.tif", "--quiet"], capture_output=True, text=True)
    assert done.returncode == 0 and (tmp_path / "out.tif").is_file(), done.stderr
    again = subprocess.run([*rio, tmp_path / "out.tif"], capture_output=True, text=True)
    assert again.returncode == 4 and again.stderr.strip().startswith("Error: ") and "--overwrite" in again.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        "sharpen pan.tif ms.tif gsa.tif --method gsa",
        "assess truth.tif --pan pan.tif --ms ms.tif",
        "compare pan.tif ms.tif --methods gsa,bandwise",
        "degrade pan.tif ms.tif reduced",
        "batch . results --workers 1",
        "names transforms -v",
    ],
)
def test_what_needs_no_torch_works(scene, monkeypatch, arguments):
    monkeypatch.chdir(scene)
    panflow(*arguments.split())


@pytest.mark.parametrize(
    ("arguments", "needs"),
    [
        ("sharpen pan.tif ms.tif x.tif --method otfm", "the model otfm needs torch"),
        ("sharpen pan.tif ms.tif x.tif --runtime bf16", "the runtime bf16 needs torch"),
        ("sharpen pan.tif ms.tif x.tif --device cuda", "the model bandwise needs torch"),
        ("sharpen pan.tif ms.tif x.tif --adapt 5", "the model bandwise needs torch"),
        ("train any-sensor --out run", "panflow train needs torch"),
        ("export bandwise x.onnx", "panflow export needs torch"),
        ("import x.pth --network pannet --out x.safetensors", "panflow import needs torch"),
        ("names networks -v", "panflow names needs torch"),
    ],
)
def test_what_needs_torch_says_so(scene, monkeypatch, arguments, needs):
    monkeypatch.chdir(scene)
    said = panflow(*arguments.split(), code=1).stderr.strip()
    assert said == f'panflow: {needs}, which is not installed: pip install "panflow[torch]"'
    assert not Path("x.tif").exists()
