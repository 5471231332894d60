"""Running plans: what is missing is done, nothing twice; an interrupted run loses nothing."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from scipy.io import savemat

import panflow
from panflow import registry
from panflow.bench import images
from panflow.bench import plan as plans
from panflow.bench import run as running
from panflow.bench.ledger import Ledger
from panflow.bench.meter import measure
from panflow.cli import cli
from panflow.data import synthetic
from panflow.data._tiles import Collection
from panflow.errors import InputError, MissingInput
from panflow.learned.file import build
from panflow.ops.resample import ms_up
from panflow.sensors import load as load_sensor
from panflow.settings import as_toml

SMALL = {
    "title": "small",
    "methods": [{"label": "EXP", "name": "exp"}, {"label": "GSA", "name": "gsa"}],
    "data": [{"name": "drawn", "sensor": "ikonos", "size": 128, "count": 2}],
    "indices": [{"index": "sam"}, {"index": "ergas"}, {"index": "qnr"}],
    "figures": [],
    "pictures": 0,
}
NETWORK = {
    "label": "PNN",
    "train": {
        "network": {"name": "pnn", "bands": 4, "widths": [4, 4]},
        "transform": {"name": "unipan", "fit": "train"},
        "objective": {"name": "regression"},
        "data": {
            "batch": 1,
            "patch": 32,
            "collections": [{"format": "pancollection", "path": "g.h5", "sensor": "ikonos"}],
        },
        "run": {"steps": 2},
    },
}


def written(folder, **changes):
    path = folder / "plan.toml"
    path.write_text(as_toml(SMALL | changes), encoding="utf-8")
    return path


def lines(folder):
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def test_every_method_meets_every_image_once(tmp_path):
    report = panflow.benchmark(written(tmp_path), tmp_path / "out")
    found = lines(tmp_path / "out")
    assert len({line["key"] for line in found}) == len(found) == 2 * 2 * 2
    assert {tuple(line["indices"]) for line in found} == {("SAM", "ERGAS"), ("QNR",)}
    assert report.is_file() and (tmp_path / "out/tables/01.tex").is_file()
    for line in found:
        assert line["seconds"] > 0 and line["evaluations"] == 0 and line["seed"] == 0
        assert {"panflow", "numpy", "python", "time"} <= set(line["environment"])


def test_numbers_are_those_of_the_public_functions(tmp_path):
    panflow.benchmark(written(tmp_path), tmp_path / "out")
    scene = synthetic.scene(128, load_sensor("ikonos"), seed=1)
    pair = panflow.degrade(scene.pan.astype(float), scene.ms.astype(float), sensor="ikonos")
    arguments = {"sensor": "ikonos", "phase": pair.phase}
    fused = panflow.sharpen(pair.pan, pair.ms, method="gsa", **arguments)
    expected = panflow.assess(fused, reference=pair.reference, indices=["sam", "ergas"], sensor="ikonos")
    mine = next(
        x for x in lines(tmp_path / "out") if (x["method"], x["image"]) == ("GSA", "scene 1") and "SAM" in x["indices"]
    )
    assert list(mine["indices"].values()) == pytest.approx(list(expected.values()), abs=1e-9)


def test_run_again_computes_only_what_is_missing(tmp_path, monkeypatch):
    sharpened = []
    original = running.meter.measure
    monkeypatch.setattr(running.meter, "measure", lambda *a: sharpened.append(1) or original(*a))
    out = tmp_path / "out"
    panflow.benchmark(written(tmp_path), out)
    before = (out / "results.jsonl").read_bytes()
    sharpened.clear()
    panflow.benchmark(written(tmp_path), out)
    assert not sharpened and (out / "results.jsonl").read_bytes() == before
    more = [*SMALL["methods"], {"label": "Brovey", "name": "brovey"}]
    panflow.benchmark(written(tmp_path, methods=more), out)
    assert len(sharpened) == 4 and (out / "results.jsonl").read_bytes().startswith(before)


@pytest.mark.slow  # a minute of kills
def test_killed_and_run_again_loses_nothing(tmp_path):
    path, out = written(tmp_path, data=[SMALL["data"][0] | {"count": 30}]), tmp_path / "out"
    program = [sys.executable, "-c", "from panflow.cli import main; main()"]
    process = subprocess.Popen([*program, "bench", str(path), "--out", str(out), "-q"])
    results = out / "results.jsonl"
    while not (results.is_file() and results.read_bytes().count(b"\n") >= 5):
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = results.read_bytes()
    assert 5 <= before.count(b"\n") < 120
    panflow.benchmark(path, out)
    assert results.read_bytes().startswith(before[: before.rfind(b"\n") + 1])
    assert len({line["key"] for line in lines(out)}) == len(lines(out)) == 120


def test_a_line_that_was_cut_is_dropped_and_measured_again(tmp_path):
    panflow.benchmark(written(tmp_path), tmp_path / "out")
    results = tmp_path / "out/results.jsonl"
    whole = results.read_bytes()
    results.write_bytes(whole[:-40])
    assert len(Ledger(tmp_path / "out").results) == 7
    panflow.benchmark(written(tmp_path), tmp_path / "out")
    assert len(lines(tmp_path / "out")) == 8
    results.write_text("{}\n" + results.read_text())
    with pytest.raises(InputError, match="line 1"):
        Ledger(tmp_path / "out")


def test_networks_are_trained_once_and_tell_their_evaluations(tmp_path):
    ground = [{"name": "g", "sensor": "ikonos", "size": 192, "count": 2}]
    path, out = written(tmp_path, methods=[NETWORK], ground=ground), tmp_path / "out"
    told = []
    panflow.benchmark(path, out, device="cpu", tell=told.append)
    assert {line["evaluations"] for line in lines(out)} == {1}
    assert all({"torch", "device", "threads"} <= set(line["environment"]) for line in lines(out))
    (model,) = (out / "models").glob("*/model.safetensors")
    stamp = model.stat().st_mtime_ns
    (out / "results.jsonl").unlink()
    panflow.benchmark(path, out, device="cpu", tell=told.append)
    assert model.stat().st_mtime_ns == stamp and sum(line.startswith("training") for line in told) == 1


def test_evaluations_are_counted_per_image():
    section = {"name": "otfm", "bands": 4, "widths": [8, 8, 8], "condition": 8, "head": 8}
    flow = {"name": "flow_matching", "steps": 3}
    model = build({"network": section, "transform": {"name": "scale"}, "objective": flow})
    asked = []
    model.network.register_forward_hook(lambda *_: asked.append(1))
    pair = images._scene(plans.Data("drawn", "ikonos", size=64), 0)
    for _ in range(2):
        model.fit([pair])(pair)
    assert model.evaluations == model.objective.options.steps == len(asked) / 2


def test_memory_beyond_the_start_is_measured():
    for _ in range(2):  # the second time as much as the first, though the first has freed all
        answer, seconds, memory = measure(lambda: sum(float(np.ones(2**16).sum()) for _ in [np.ones((64, 2**16))]))
        assert answer > 0 and seconds > 0 and 25 < memory < 60
    assert measure(lambda: None, repeats=4)[1] < 0.1


def test_ground_is_a_collection_at_the_toolbox_phase(tmp_path):
    data = plans.Data("g", "ikonos", size=192, count=2, phase="corner")
    plan = plans.load(plans.Plan("t", (plans.Method("EXP", "exp"),), (data,), (plans.Column("ergas"),), ground=(data,)))
    images.write_ground(plan, tmp_path, tmp_path / "ground")
    tiles = registry.get("data", "pancollection").load(
        Collection("pancollection", "g.h5", "ikonos"), tmp_path / "ground"
    )
    pair = tiles.pair([0])
    assert len(tiles) == 2 and pair.phase[0] == (2.0, 2.0) and tuple(pair.reference.shape) == (1, 4, 48, 48)
    # the blur is symmetric, so MS interpolated at its true phase is nearest to the reference
    errors = [
        float(((ms_up(replace(pair, phase=((p, p),) * 4)) - pair.reference)[..., 8:-8, 8:-8] ** 2).mean())
        for p in (1.5, 2.0, 2.5)
    ]
    assert errors[1] == min(errors)


@pytest.mark.parametrize("kind", ("pancollection", "nbu"))
def test_published_collections_are_read(tmp_path, kind):
    rng = np.random.default_rng(0)
    pan, ms, gt = (rng.integers(1, 2000, (2, c, n, n)).astype(float) for c, n in ((1, 128), (4, 32), (4, 128)))
    if kind == "pancollection":
        path = "test.h5"
        with h5py.File(tmp_path / path, "w") as file:
            file["pan"], file["ms"], file["gt"] = pan, ms, gt
    else:
        path = "1 IKONOS"
        for folder, name, stack in (("MS_256", "imgMS", ms), ("PAN_1024", "imgPAN", pan)):
            (tmp_path / path / folder).mkdir(parents=True)
            for k in range(2):
                image = np.moveaxis(stack[k], 0, 2).squeeze()
                savemat(tmp_path / path / folder / f"{k}.mat", {name: image})
    data = [{"name": "set", "collection": {"format": kind, "path": path, "sensor": "ikonos"}}]
    plan = written(tmp_path, data=data, methods=SMALL["methods"][:1])
    panflow.benchmark(plan, tmp_path / "out", data=tmp_path)
    assert len(lines(tmp_path / "out")) == 4


@pytest.mark.parametrize("plan, layout", (("otfm-table1", "test_wv3_multiExm1.h5"), ("unipan-table1", "MS_256")))
def test_absent_data_are_described(tmp_path, plan, layout):
    with pytest.raises(MissingInput, match=f"{layout}.*--data DIR.*--rehearse"):
        panflow.benchmark(plan, tmp_path / "out", data=tmp_path)


def test_console(tmp_path):
    listed = CliRunner().invoke(cli, ["bench", "--list"])
    assert listed.exit_code == 0 and "smoke" in listed.output and "unipan-table1" in listed.output
    done = CliRunner().invoke(cli, ["bench", str(written(tmp_path)), "--out", str(tmp_path / "out"), "--set", "seed=2"])
    assert done.exit_code == 0 and done.output.strip().endswith("report.html")
    assert {line["seed"] for line in lines(tmp_path / "out")} == {2}


def test_at_full_scale_the_truth_has_pans_size_and_the_named_mtf_is_off():
    values = SMALL | {"data": [{"name": "seen", "sensor": "ikonos", "size": 128, "count": 1}]}
    values["data"][0] |= {"protocols": ["full-scale"], "optics": {"stated": 1.8, "spread": 0.0}}
    data = plans.load(plans.settings.typed(plans.Plan, values, "plan")).data[0]
    (image,) = images.load(data, Path(), 0)
    pair = image.make()
    assert pair.reference.shape[-2:] == pair.pan.shape[-2:] == (128, 128)
    assert pair.sensor.gains[0] == pytest.approx(1.8 * np.mean(load_sensor("ikonos").gains), rel=0.01)


def test_a_file_of_bands_serves_as_truth(tmp_path):
    truth = synthetic.scene(128, load_sensor("ikonos"), seed=1)
    synthetic.write(truth, tmp_path)
    data = {
        "name": "seen",
        "sensor": "ikonos",
        "size": 96,
        "truth": "truth.tif",
        "protocols": ["full-scale"],
        "optics": {},
    }
    data = plans.load(plans.settings.typed(plans.Plan, SMALL | {"data": [data]}, "plan")).data[0]
    (image,) = images.load(data, tmp_path, 0)
    pair = image.make()
    assert pair.reference.shape == (1, 4, 96, 96)
    assert np.corrcoef(pair.reference.mean(1).ravel(), pair.pan.ravel())[0, 1] > 0.99


def test_a_truth_that_is_not_there_is_named(tmp_path):
    data = {"name": "seen", "sensor": "ikonos", "truth": "none.tif", "protocols": ["full-scale"], "optics": {}}
    data = plans.load(plans.settings.typed(plans.Plan, SMALL | {"data": [data]}, "plan")).data[0]
    (image,) = images.load(data, tmp_path, 0)
    with pytest.raises(MissingInput, match=r"none\.tif"):
        image.make()


def test_a_method_with_its_own_mtf_is_another_row(tmp_path):
    rows = [{"label": "named", "name": "mtf_glp"}, {"label": "estimated", "name": "mtf_glp", "mtf": "auto"}]
    data = [{"name": "seen", "sensor": "ikonos", "size": 256, "count": 1, "protocols": ["full-scale"]}]
    data[0]["optics"] = {"stated": 1.8}
    panflow.benchmark(written(tmp_path, methods=rows, data=data), tmp_path / "out")
    named, estimated = (row["indices"]["ERGAS"] for row in lines(tmp_path / "out"))
    assert estimated < 0.99 * named
