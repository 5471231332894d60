"""Values of recipes, plans and model files that cannot be meant are refused in a sentence, before any work."""

from dataclasses import replace

import pytest
import torch

from panflow import registry
from panflow.bench import plan as plans
from panflow.errors import InputError, UnknownName
from panflow.learned.file import build
from panflow.learned.weights import require_finite, take
from panflow.training import loop
from panflow.training import recipe as recipes

RECIPE = {
    "network": {"name": "bandwise"},
    "transform": {"name": "scale"},
    "objective": {"name": "regression"},
}


@pytest.mark.parametrize(
    "override",
    [
        "data.tile=0",
        "data.tile=-32",
        "data.tile=4096",
        "data.patch=-4",
        "data.patch=1",
        "data.batch=-1",
        "data.batch=100000",
        "data.threads=-1",
        "augment.ratios=[]",
        "augment.ratios=[0]",
        "augment.bands=[]",
        "augment.bands=[-1]",
        "augment.shift=nan",
        "run.seed=-1",
        "run.log=0",
        "run.steps=0",
        "run.ema=1.5",
        "optimiser.rates.net=nan",
        "optimiser.rates.net=-1",
        "optimiser.rates.net=1e30",
        "optimiser.rates.net=inf",
        "back_projection=-3",
        "back_projection=1000000000",
        "phase=inf",
    ],
)
def test_values_out_of_range_are_refused(override):
    key = override.partition("=")[0].split(".")[-1]
    with pytest.raises((InputError, UnknownName), match=key):
        recipes.load(recipes.typed(RECIPE), [override])


@pytest.mark.parametrize("text", ["extends = 5", 'extends = ["a", 1]', "data = 3", "[network]\nname = 3\n", "a" * 9])
def test_files_of_another_shape_are_refused(tmp_path, text):
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises((InputError, UnknownName)):
        build(recipes.load(tmp_path / "r.toml").sections())


def test_a_byte_order_mark_is_no_fault(tmp_path):
    text = (registry.path("recipes", "pnn")).read_text("utf-8")
    (tmp_path / "r.toml").write_text(text, encoding="utf-8-sig")
    assert recipes.load(tmp_path / "r.toml") == recipes.load("pnn")


@pytest.mark.parametrize(
    "kind, options",
    [
        ("network", {"name": "bandwise", "width": 99_999_999}),
        ("network", {"name": "bandwise", "width": -1}),
        ("network", {"name": "bandwise", "width": "wide"}),
        ("network", {"name": "pannet", "bands": 4, "ratio": 0}),
        ("network", {"name": "pannet", "bands": 4, "ratio": -4}),
        ("network", {"name": "pannet"}),
        ("network", {"name": "fusionnet", "bands": 4, "width": 4096, "blocks": 64}),
        ("network", None),
        ("transform", {"name": "unipan", "m": 1}),
        ("transform", {"name": "unipan", "m": 0}),
        ("transform", {"name": "scale", "bits": 99}),
        ("objective", {"name": "flow_matching", "steps": 10**9}),
        ("objective", {"name": 5}),
    ],
)
def test_models_that_cannot_be_meant_are_not_built(kind, options):
    with pytest.raises((InputError, UnknownName)):
        build(RECIPE | {kind: options})


@pytest.mark.parametrize(
    "override",
    ["seed=-1", "repeats=-1", "shown=-1", "methods=[]", "data=[]", "indices=[]", 'layout.kind="round"'],
)
def test_plans_that_cannot_be_meant_are_refused(override):
    with pytest.raises((InputError, UnknownName)):
        plans.load("smoke", [override])


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda w: w | {"weight": torch.full((2, 3), torch.nan)}, "not finite"),
        (lambda w: w | {"weight": torch.full((2, 3), torch.inf)}, "not finite"),
        (lambda w: w | {"weight": torch.full((2, 3), 1e20)}, "expected what training gives"),
        (lambda w: w | {"weight": torch.zeros(2, 3, dtype=torch.int64)}, "int64"),
        (lambda w: w | {"weight": torch.zeros(2, 3, dtype=torch.bool)}, "bool"),
        (lambda w: w | {"weight": torch.zeros(2, 3, dtype=torch.complex64)}, "complex64"),
        (lambda w: w | {"weight": torch.zeros(3, 2)}, "expected"),
        (lambda w: {"weight": w["weight"]}, "lacks bias"),
        (lambda w: w | {"other": w["bias"]}, "has other"),
    ],
)
def test_weights_that_do_not_fit_are_refused(change, words):
    layer = torch.nn.Linear(3, 2)
    with pytest.raises(InputError, match=words):
        take(layer, change(dict(layer.state_dict())), "m")
    require_finite(layer.state_dict(), "m")


@pytest.mark.parametrize("bad, ends", [(range(100), True), (range(3), False), ([1, 3, 5], False)])
def test_training_stops_after_bad_batches_in_a_row(tmp_path, monkeypatch, bad, ends):
    drawn = loop.Training.batch

    def batch(self, step):
        result = drawn(self, step)
        return replace(result, target=result.target * float("nan")) if step in bad else result

    monkeypatch.setattr(loop.Training, "batch", batch)
    data = {
        "synthetic": 1,
        "synthetic_size": 128,
        "synthetic_sensors": ["ikonos"],
        "tile": 32,
        "patch": 16,
        "folded": 4,
    }
    small = {"network": {"name": "bandwise", "width": 4}, "augment": {"bands": [4], "ratios": [4]}}
    recipe = recipes.typed({**RECIPE, **small, "data": data, "run": {"steps": 12, "log": 1}})
    if ends:
        with pytest.raises(InputError, match="not finite in 10 batches in a row"):
            loop.train(recipe, tmp_path / "run", device="cpu", progress=False)
        assert not (tmp_path / "run/model.safetensors").exists()
    else:
        assert loop.train(recipe, tmp_path / "run", device="cpu", progress=False).is_file()
