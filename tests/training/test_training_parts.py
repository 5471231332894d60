"""Feeds, optimisers, tables and scores."""

import math
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from runs_of_seconds import TINY

import panflow
from panflow.data import synthetic
from panflow.data._tiles import Tiles
from panflow.errors import InputError, UnknownName
from panflow.ops.degrade import wald
from panflow.sensors import load
from panflow.training import optimisers, recipe, validation
from panflow.training.feed import Collected, ahead, feed, sources
from panflow.training.log import LOSSES, Table
from panflow.training.loop import Training
from panflow.training.recipe import Optimiser

NAME = "regression-any-sensor"


def numbered(count: int) -> Tiles:
    """Tiles of one pixel whose value is their number."""
    images = [np.full((1, 1, 1), k) for k in range(count)]
    return Tiles(images, images, images, load("generic").select([0]), (1.0, 1.0), (0.0, 0.0))


def test_every_tile_comes_once_in_an_epoch_and_in_another_order_in_the_next():
    fed = Collected((numbered(7), numbered(4)), size=2)
    epochs = [[fed.draw(0, step).pan.flatten().tolist() for step in range(5 * e, 5 * e + 5)] for e in range(2)]
    seen = sorted(value for batch in epochs[0] for value in batch)
    assert len(seen) == 10 and seen.count(0) <= 2 and {0, 1, 2, 3} <= set(seen)
    assert epochs[0] != epochs[1]
    assert fed.draw(0, 3).pan.flatten().tolist() == epochs[0][3]
    assert [fed.draw(1, step).pan.flatten().tolist() for step in range(5)] != epochs[0]


def test_a_transform_learns_from_tiles_of_all_collections():
    values = {float(pair.pan) for pair in Collected((numbered(3), numbered(5)), size=1).survey(0)}
    assert values == {0.0, 1.0, 2.0, 3.0, 4.0}


def test_work_ahead_keeps_the_order():
    assert list(ahead(lambda x: x * x, range(9), 3)) == [x * x for x in range(9)]


def test_nothing_to_learn_from_is_said():
    with pytest.raises(InputError, match="nothing to learn from"):
        feed(recipe.load(NAME, [*TINY, "data.synthetic = 0"]))


def test_the_model_is_told_its_sources():
    told = sources(recipe.load(NAME).data)
    assert all(each["licence"] for each in told)
    assert any(each["source"] == "naip-1m" for each in told) and "drawn scenes" in told[-1]["source"]


def test_a_step_learns_from_a_window_that_both_grids_share():
    training = Training(recipe.load(NAME, TINY))
    for step in range(4):
        batch = training.batch(step)
        ratio = round(batch.pair.ratio[0])
        assert batch.pair.size == (24, 24) and batch.pair.ms_size == (24 // ratio,) * 2
        assert batch.target.shape == batch.ms_up.shape == batch.inputs["level"].shape
        truth = batch.ms_up + batch.unit * batch.target
        torch.testing.assert_close(truth, batch.pair.reference, rtol=0, atol=1e-2)


@pytest.mark.parametrize(
    ("options", "step", "expected"),
    [
        (Optimiser(warmup=10), 4, 0.5),
        (Optimiser(warmup=10, floor=0.1), 10, 1.0),
        (Optimiser(warmup=0, floor=0.1), 50, 0.55),
        (Optimiser(warmup=0, schedule="step", factor=0.8, every=10), 25, 0.64),
        (Optimiser(warmup=0, schedule="step", factor=0.1, at=(20, 60)), 60, 0.01),
        (Optimiser(warmup=0, schedule="constant"), 99, 1.0),
    ],
)
def test_rates(options, step, expected):
    assert optimisers.share(options, step, 100) == pytest.approx(expected)


def test_optimisers_by_name():
    net = torch.nn.Linear(2, 1)
    average = torch.nn.Linear(2, 1).requires_grad_(False)
    made = optimisers.optimisers({"net": net, "average": average}, Optimiser(name="sgd"))
    assert set(made) == {"net"} and made["net"].param_groups[0]["momentum"] == 0.9
    with pytest.raises(UnknownName, match="did you mean 'adam'"):
        optimisers.optimisers({"net": net}, Optimiser(name="adan"))
    with pytest.raises(InputError, match=r"optimiser\.rates has no 'critic'"):
        optimisers.optimisers({"critic": net}, Optimiser(rates={"net": 1.0}))


def test_gradients_are_clipped_where_asked():
    net = torch.nn.Linear(2, 1, bias=False)
    for most, left in ((0.0, 5.0), (1.0, 1.0)):
        net.weight.grad = torch.tensor([[3.0, 4.0]])
        assert float(optimisers.clip(net, most)) == pytest.approx(5.0)
        assert float(net.weight.grad.norm()) == pytest.approx(left, rel=1e-5)


def test_a_resumed_table_drops_what_came_after(tmp_path):
    for start in (0, 2):
        table = Table(tmp_path / "losses.csv", LOSSES, start)
        for step in range(start + 1, start + 5):
            table.add(step=step, player="net", loss=math.pi)
        table.close()
    rows = (tmp_path / "losses.csv").read_text().splitlines()[1:]
    assert [row[0] for row in rows] == ["1", "2", "3", "4", "5", "6"] and "3.14159" in rows[0]


def test_scores_of_valid_pixels():
    pair = wald(synthetic.scene(128, load("ikonos"), seed=1))
    fused = pair.reference.copy()
    assert validation.scores(fused, pair) == pytest.approx({"sam": 0.0, "ergas": 0.0}, abs=1e-5)
    fused[..., 16:, :] *= np.array([1, 2, 1, 1])[:, None, None]
    error = validation.scores(fused, pair)
    assert error["sam"] > 1 and error["ergas"] > 1
    upper = np.broadcast_to(np.arange(pair.size[0])[:, None] < 16, pair.pan.shape)
    assert validation.scores(fused, replace(pair, pan_valid=upper)) == pytest.approx({"sam": 0, "ergas": 0}, abs=1e-5)


def test_held_pairs_are_measured_and_shown(tmp_path):
    reduced = wald(synthetic.scene(128, load("ikonos"), seed=1))
    found = validation.validate(panflow.load("exp"), {"held": [reduced, reduced]}, tmp_path / "pictures")
    fused = panflow.load("exp")(reduced)
    assert found["held"] == pytest.approx(validation.scores(fused, reduced))
    assert (tmp_path / "pictures/held.png").stat().st_size > 500


SMALL = [*TINY, "data.folded = 12"]


class Fake:
    """A device on which batches of more than `most` pairs do not fit: an objective that runs out of memory."""

    def __init__(self, losses, most):
        self.losses, self.most, self.asked = losses, most, []

    def __call__(self, players, batch, rng=None, **more):
        self.asked.append(len(batch.ms_up))
        for name, loss in self.losses(players, batch, rng, **more):
            if len(batch.ms_up) > self.most:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            yield name, loss


def test_a_batch_that_memory_does_not_hold_is_done_in_halves(monkeypatch):
    runs = []
    for most in (99, 2, 1):
        training = Training(recipe.load(NAME, SMALL))
        training.begin()
        fake = Fake(training.model.objective.losses, most)
        monkeypatch.setattr(training.model.objective, "losses", fake)
        batch = training.batch(0)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            loss = float(training.step(batch)["net"]["loss"])
        size = len(batch.ms_up)
        assert size >= 4
        assert len(said) == round(math.log2(size / min(size, most))) and fake.asked[-1] == min(size, most)
        runs.append((loss, [p.grad.clone() for p in training.state.players["net"].parameters()]))
    for loss, gradients in runs[1:]:
        assert loss == pytest.approx(runs[0][0], rel=1e-5)
        for part, whole in zip(gradients, runs[0][1]):
            torch.testing.assert_close(part, whole, rtol=1e-3, atol=1e-6)


def test_a_single_pair_that_memory_does_not_hold_is_an_error(monkeypatch):
    training = Training(recipe.load(NAME, SMALL))
    training.begin()
    monkeypatch.setattr(training.model.objective, "losses", Fake(training.model.objective.losses, 0))
    with pytest.raises(torch.OutOfMemoryError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        training.step(training.batch(0))
