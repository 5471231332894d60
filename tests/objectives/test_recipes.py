"""Every bundled recipe of ours and of OTFM's rivals trains, resumes and sharpens; shrunk to seconds."""

import pytest
import torch
from batches import place

from panflow import registry
from panflow.learned.file import open_model
from panflow.training import loop, recipe

RIVALS = [name for name in registry.names("recipes") if name.startswith(("table4", "ddif", "pandiff"))]
ANY_SENSOR = [name for name in registry.names("recipes") if name.endswith("any-sensor")]
MIXES = [f"{name}+{'_small' if name.startswith('table4') else '_minutes'}" for name in RIVALS]
SHRINK = (
    "data.sources = []",
    "data.synthetic = 1",
    'data.synthetic_sensors = ["pleiades_neo"]',
    "data.synthetic_size = 128",
    "data.tile = 48",
    "data.patch = 24",
    "data.batch = 2",
    "validation.pairs = []",
    "run.steps = 4",
    "run.checkpoint = 0.0",
    "run.bfloat16 = false",
)
SMALL = {
    "otfm": ("network.widths = [8, 8, 8]", "network.condition = 8", "network.head = 8"),
    "ddif": ("network.width = 8", "network.blocks = 1"),
    "pandiff": ("network.width = 8", "network.blocks = 1"),
    "bandwise": ("network.width = 4", "network.dilations = [1]"),
}
FEW = ("diffusion", "reflow", "flow_matching")  # with steps of a sampler, three of which will do here


def test_all_rows_and_both_diffusions_are_there():
    rows = "abcdefg"
    assert {name[6] for name in RIVALS if name.startswith("table4")} >= set(rows)
    assert {"ddif", "pandiff"} < set(RIVALS)


@pytest.mark.parametrize("mix", MIXES)
def test_a_small_mix_differs_in_its_budget_only(mix):
    large, small = recipe.load(mix.split("+")[0]), recipe.load(mix)
    assert large.title == small.title and large.objective == small.objective
    assert large.transform == small.transform and large.data.sources == small.data.sources
    assert large.validation.pairs == small.validation.pairs and large.augment == small.augment
    assert small.network == large.network | ({"size": "tiny"} if mix.endswith("_small") else {})
    assert small.run.steps < large.run.steps


@pytest.fixture(scope="module", params=MIXES + ANY_SENSOR)
def run(request, tmp_path_factory):
    """Name, overrides and model of a run of four steps."""
    settings = recipe.load(request.param)
    overrides = SHRINK + SMALL[settings.network["name"]]
    if settings.objective["name"] in FEW:
        overrides += ("objective.steps = 3",)
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, overrides, loop.train(request.param, folder, overrides=overrides, progress=False)


def test_trains_and_sharpens(run):
    pair = place(1, batch=1)
    model = open_model(run[2]).fit([pair])
    with torch.random.fork_rng():
        torch.manual_seed(5)
        fused = model(pair)
        torch.manual_seed(6)
        assert torch.equal(fused, model(pair))
    assert fused.shape == pair.reference.shape and fused.isfinite().all()


def test_resumes(run, tmp_path, monkeypatch):
    name, overrides, whole = run
    objective = registry.get("objectives", recipe.load(name).objective["name"]).Objective
    losses = objective.losses

    def stopping(self, *args, progress, **options):
        if progress == 0.5:
            raise KeyboardInterrupt
        return losses(self, *args, progress=progress, **options)

    with monkeypatch.context() as patch:
        patch.setattr(objective, "losses", stopping)
        with pytest.raises(KeyboardInterrupt):
            loop.train(name, tmp_path, overrides=overrides, progress=False)
    resumed = loop.train(name, tmp_path, overrides=overrides, progress=False)
    first, second = (open_model(path).network.state_dict() for path in (whole, resumed))
    assert all(torch.equal(first[key], second[key]) for key in first)
