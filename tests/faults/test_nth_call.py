"""Commands whose n-th file operation fails, n = 1, 2, ... until a run passes: what is there stays, nothing is half.

`make test` takes the first, the last and a seeded few n of every kind; `make test-faults` takes all of them, and lets
every later call fail too (a fault while recovering).
"""

import json
import os
import random
from pathlib import Path

import pytest
import rasterio
from layer import CALLS, Failing, failing
from safetensors import safe_open

from panflow import cli, sensors
from panflow.data import synthetic

ALL = bool(os.environ.get("PANFLOW_FAULTS"))
SEED = int(os.environ.get("PANFLOW_FAULTS_SEED", "0"))
FEW = 2  # of every kind of call, besides the first and the last, in the short part

RECIPE = """
title = "small"
[network]
name = "bandwise"
width = 4
[transform]
name = "scale"
[objective]
name = "regression"
[data]
synthetic = 1
synthetic_size = 128
synthetic_sensors = ["ikonos"]
tile = 32
patch = 16
folded = 8
[augment]
bands = [4]
ratios = [4]
[run]
steps = 2
log = 1
[validation]
every = 1
"""
PLAN = """
title = "small"
pictures = 1
figures = []
methods = [{ label = "EXP", name = "exp" }]
data = [{ name = "drawn", sensor = "ikonos", size = 128, count = 1, protocols = ["reduced"] }]
indices = [{ index = "sam" }]
"""
COMMANDS = {
    "sharpen": "sharpen pan.tif ms.tif out/o.tif -m exp -q --quicklook out/q.png --jobs 1",
    "gtiff": "sharpen pan.tif ms.tif out/o.tif -m exp -q --format gtiff --jobs 1",
    "assess": "assess truth.tif --reference truth.tif --indices sam --csv out/a.csv --maps out/maps -q --jobs 1",
    "degrade": "degrade pan.tif ms.tif out",
    "synthesize": "synthesize out --size 64 --sensor ikonos",
    "train": "train r.toml --out out/run -q --device cpu",
    "bench": "bench p.toml --out out/bench -q",
    "import": "import net.pth --network pnn --bands 4 --bits 11 --out out/m.safetensors",
    "batch": "batch scenes.csv out -m exp -q --workers 1 --retry 0 -j 1",  # the journal; scenes are other processes
    "export": "export m.safetensors out/m.onnx --bands 4 --size 64",
}
QUICK = ("gtiff", "degrade", "train", "import")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    """A folder with what the commands read."""
    import torch

    from panflow.learned.file import build, save

    folder = tmp_path_factory.mktemp("inputs")
    synthetic.write(synthetic.scene(64, sensors.load("ikonos"), seed=0), folder)
    (folder / "r.toml").write_text(RECIPE)
    (folder / "p.toml").write_text(PLAN)
    (folder / "scenes.csv").write_text("id,pan,ms\na,pan.tif,ms.tif\n")
    parts = {"transform": {"name": "scale", "bits": 11}, "objective": {"name": "regression"}}
    save(build({"network": {"name": "pnn", "bands": 4}, **parts}), folder / "m.safetensors")
    torch.save(build({"network": {"name": "pnn", "bands": 4}, **parts}).network.state_dict(), folder / "net.pth")
    return folder


def whole(path: Path) -> bool:
    """Whether a file can be read to its end."""
    try:
        if path.suffix == ".tif":
            with rasterio.open(path) as dataset:
                return dataset.read().size > 0
        if path.suffix == ".safetensors":
            with safe_open(path, "np") as file:
                return all(file.get_tensor(key) is not None for key in file.keys())  # noqa: SIM118
        if path.suffix in (".json", ".jsonl"):
            return (
                all(json.loads(line) for line in path.read_text().splitlines())
                if path.suffix == ".jsonl"
                else (json.loads(path.read_text()) is not None)
            )
    except Exception:
        return False
    return path.stat().st_size > 0


def once(name: str, layer: Failing, inputs: Path, tmp_path: Path, monkeypatch, capfd) -> tuple[int, str]:
    """(exit code, stderr) of a command under the layer; the folder `out` beside the inputs is new."""
    import shutil

    place = tmp_path / name
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(inputs, place)
    (place / "out").mkdir()
    layer.folder = os.path.realpath(place / "out")
    with monkeypatch.context() as patched, failing(layer, patched.setattr):
        patched.chdir(place)
        code = cli.run(COMMANDS[name].split())
    return code, capfd.readouterr().err


def judged(name: str, code: int, err: str, layer: Failing, place: Path, before: dict[str, bytes]) -> None:
    said = f"{name}, {layer.kind} {layer.nth}{' once' if layer.once else ' and on'}: exit {code}, {err[-300:]}"
    assert "unexpected" not in err and "Traceback" not in err, said
    assert {path.name: path.read_bytes() for path in place.iterdir() if path.is_file()} == before, said
    if code:
        assert err.strip(), said
    files = [path for path in (place / "out").rglob("*") if path.is_file()]
    if layer.once:  # else what is left could not be removed either
        assert not [path for path in files if ".part" in path.name], said
    named = [path for path in files if ".part" not in path.name and not path.name.startswith(".")]  # what a user sees
    assert all(whole(path) for path in named if path.suffix != ".csv"), said


def numbers(total: int, name: str, kind: str) -> list[int]:
    if ALL or total <= FEW + 2:
        return list(range(1, total + 1))
    return sorted({1, total, *random.Random(f"{SEED} {name} {kind}").sample(range(2, total), FEW)})


@pytest.mark.parametrize("name", COMMANDS if ALL else QUICK)
def test_the_nth_call_fails(inputs, tmp_path, monkeypatch, capfd, name, record_property):
    before = {path.name: path.read_bytes() for path in inputs.iterdir()}
    tried = 0
    for kind in CALLS:
        counted = Failing(kind, 0, "", True)
        code, err = once(name, counted, inputs, tmp_path, monkeypatch, capfd)
        assert code == 0, err
        for nth in numbers(counted.count, name, kind):
            for only in (True, False) if ALL else (True,):
                layer = Failing(kind, nth, "", only)
                code, err = once(name, layer, inputs, tmp_path, monkeypatch, capfd)
                judged(name, code, err, layer, tmp_path / name, before)
                tried += 1
    record_property("injected", tried)
    assert tried > 3
