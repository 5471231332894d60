"""Mutated images, models, recipes and ledgers: refused in a sentence or used, never a traceback or nonsense.

`make test` mutates a seeded few, `make test-faults` many (PANFLOW_FAULTS_COUNT). What once broke is in `corpus.py`.
"""

import json
import os
import random
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import rasterio
from corpus import CORPUS, Change, data
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from panflow import cli, sensors
from panflow.bench.ledger import Ledger
from panflow.data import synthetic
from panflow.errors import PanflowError
from panflow.training import recipe as recipes

ALL = bool(os.environ.get("PANFLOW_FAULTS"))
COUNT = int(os.environ.get("PANFLOW_FAULTS_COUNT", "400")) if ALL else 12
SEED = int(os.environ.get("PANFLOW_FAULTS_SEED", "0"))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    synthetic.write(synthetic.scene(64, sensors.load("ikonos"), seed=0), folder)
    weights = Path(cli.__file__).parents[1] / "weights/bandwise.safetensors"
    shutil.copy(weights, folder / "m.safetensors")
    return folder


@pytest.fixture
def run(inputs, tmp_path, monkeypatch, capfd):
    """Runs a command in a copy of the inputs to which something was done: (exit code, stderr)."""

    def command(text: str, change: Change) -> tuple[int, str]:
        shutil.rmtree(tmp_path / "place", ignore_errors=True)
        shutil.copytree(inputs, tmp_path / "place")
        change(tmp_path / "place")
        monkeypatch.chdir(tmp_path / "place")
        code = cli.run(text.split())
        return code, capfd.readouterr().err

    return command


def mutated(data: bytes, rng: random.Random, within: int) -> bytes:
    """Some bytes flipped, set to extremes, removed or doubled, in the first `within` bytes or anywhere."""
    result = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(min(within, len(result)) if rng.random() < 0.8 else len(result))
        kind = rng.randrange(5)
        if kind == 0:
            result[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            result[at : at + 4] = struct.pack("<I", rng.choice((0, 1, 2**31 - 1, 2**32 - 1)))
        elif kind == 2:
            result[at] = rng.choice((0, 255, 127))
        elif kind == 3:
            del result[at : at + rng.choice((1, 16, 4096))]
        else:
            result[at:at] = result[at : at + 8]
    return bytes(result) or b"\0"


def sound(code: int, err: str, place: Path) -> None:
    """A known end; a result that is there holds numbers of the size of the inputs'."""
    assert code in (0, 2, 3, 4, 6, 7), err
    assert not any(word in err for word in ("unexpected", "Traceback", "Warning")), err
    assert not [name for name in os.listdir(place) if ".part" in name]
    if code == 0 and (place / "o.tif").exists():
        with rasterio.open(place / "o.tif") as dataset:
            image = dataset.read(masked=True)
        assert np.isfinite(image.compressed().astype(float)).all()


def kept(name: str, data: bytes, seed: int) -> str:
    """A failing input's place; the corpus gets what makes it when it is mended."""
    path = Path(os.environ.get("PANFLOW_FAULTS_KEEP", "/tmp")) / f"crasher-{seed}-{name}"
    path.write_bytes(data)
    return str(path)


@pytest.mark.parametrize("name", ["pan.tif", "ms.tif", "m.safetensors"])
def test_mutated_files(run, inputs, tmp_path, name):
    whole = (inputs / name).read_bytes()
    method, within = ("m.safetensors", 4096) if name.startswith("m.") else ("gsa", 1024)
    count = COUNT if name != "m.safetensors" else max(4, COUNT // 4)
    for k in range(count):
        seed = SEED * 1_000_003 + k
        changed = mutated(whole, random.Random(f"{seed} {name}"), within)
        replaced = data(name, lambda _, changed=changed: changed)
        code, err = run(f"sharpen pan.tif ms.tif o.tif -m {method} -q --jobs 1", replaced)
        try:
            sound(code, err, tmp_path / "place")
        except AssertionError as error:
            raise AssertionError(f"{kept(name, changed, seed)}: {error}") from None


@pytest.mark.parametrize("name", CORPUS)
def test_what_once_broke(run, tmp_path, name):
    text, change = CORPUS[name]
    code, err = run(text, change)
    sound(code, err, tmp_path / "place")


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**40), 2**40),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.integers(-5, 5), max_size=3),
    st.dictionaries(st.sampled_from(["name", "net", "x"]), st.floats(), max_size=2),
)
KEYS = [
    f"{section}.{key}" for section, keys in recipes.load("pnn").dump().items() if isinstance(keys, dict) for key in keys
]


@settings(max_examples=COUNT * 5, deadline=None, derandomize=not ALL, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(KEYS), VALUES)
def test_recipes_of_any_values(key, value):
    values = recipes.load("pnn").dump()
    section, _, last = key.partition(".")
    values[section][last] = value
    try:
        recipe = recipes.typed(values)
    except PanflowError:
        return
    json.dumps(recipe.dump(), allow_nan=False)


@settings(max_examples=COUNT * 5, deadline=None, derandomize=not ALL, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=60), VALUES)
def test_ledgers_of_any_lines(tmp_path_factory, data, value):
    folder = tmp_path_factory.mktemp("ledger")
    lines = [data, json.dumps({"key": value, "method": value}, default=str).encode()]
    (folder / "results.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    try:
        Ledger(folder)
    except PanflowError:
        return
