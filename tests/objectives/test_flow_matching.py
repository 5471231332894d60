"""Regression and flow matching: losses, masks, the running energy, prediction."""

from dataclasses import replace

import pytest
import torch
from batches import Denoiser, Oracle, Plain, batch_of, place

from panflow.errors import InputError, UnknownName
from panflow.generative.paths import draw_times
from panflow.objectives import flow_matching, regression

RNG = torch.Generator()


def flow(*args, **options) -> flow_matching.Objective:
    return flow_matching.Objective(flow_matching.Options(*args, **options))


def regress(norm: str = "l1") -> regression.Objective:
    return regression.Objective(regression.Options(norm))


@pytest.fixture(scope="module")
def batch():
    return batch_of(place(0, batch=8))


def only(objective, network, batch, seed: int = 0) -> torch.Tensor:
    """The one loss of an objective with one player."""
    players = objective.players(network, batch.pair.bands)
    [(player, loss)] = objective.losses(players, batch, RNG.manual_seed(seed))
    assert player == "net"
    return loss


@pytest.mark.parametrize(("norm", "power"), [("l1", 1), ("l2", 2)])
def test_regression(batch, norm, power):
    objective = regress(norm)
    network = Denoiser()
    error = objective.predict(network, batch) - batch.target
    assert torch.allclose(only(objective, network, batch), (error.abs() ** power).mean())
    assert only(objective, Oracle(batch.target), batch) == 0
    assert objective.log["gain"] == pytest.approx(1) and objective.log["energy"] == pytest.approx(1)


def test_networks_without_state_see_only_the_inputs(batch):
    plain, denoiser = Plain(), Denoiser()
    denoiser.load_state_dict(plain.state_dict())
    objective = regress()
    assert torch.equal(objective.predict(plain, batch), objective.predict(denoiser, batch))


def test_masked_pixels_do_not_count(batch):
    mask = torch.ones(8, 1, 32, 32, dtype=torch.bool)
    mask[..., :5] = False
    spoilt = replace(
        batch,
        target=torch.where(mask, batch.target, torch.tensor(1e3)),
        pair=replace(batch.pair, pan_valid=mask),
    )
    for objective in (regress("l2"), flow(t_law="one", sigma=1.0)):
        assert only(objective, Oracle(batch.target), spoilt) == 0
        shifted = only(objective, Oracle(batch.target + 0.5), spoilt)
        assert torch.allclose(shifted, torch.tensor(0.25))
    with pytest.raises(InputError, match="both cut alike"):
        only(objective, Oracle(batch.target), replace(spoilt, ms_up=spoilt.ms_up[..., :16]))


def test_flow_of_nothing_costs_one(batch):
    objective = flow()
    loss = only(objective, Oracle(torch.zeros_like(batch.target)), batch)
    assert loss.item() == pytest.approx(1, abs=1e-5)
    assert objective.log["sigma"] == pytest.approx(batch.target.square().mean().sqrt().item(), rel=1e-5)


def test_energy_is_a_mean_that_forgets(batch):
    objective = flow()
    energy = objective.flow.energy
    energy.memory = 10
    for scale in (1.0, 2.0, 3.0):
        energy(scale * torch.ones(1, 1, 2, 2))
    assert energy.value.item() == pytest.approx((1 + 4 + 9) / 3)
    for _ in range(200):
        energy(torch.zeros(1, 1, 2, 2))
    assert energy.value.item() < 1e-6
    again = flow()
    again.load_state_dict(objective.state_dict())
    assert again.flow.energy.value == energy.value and again.flow.energy.count == 203


def test_a_given_sigma_is_used(batch):
    zero = Oracle(torch.zeros_like(batch.target))
    loss = only(flow(sigma=0.5), zero, batch)
    assert torch.allclose(loss, batch.target.square().mean() / 0.25)


def test_the_flow_is_drawn_from_the_line(batch):
    seen = {}

    class Watch(Oracle):
        def forward(self, x, t, **inputs):
            seen.update(x=x, t=t)
            return self.truth

    objective = flow(p1=0.5)
    loss = only(objective, Watch(batch.target), batch, seed=5)
    t = draw_times("mix", 8, torch.Generator().manual_seed(5), 0.5)
    assert 0 < (t == 1).sum() < 8  # or the next lines would say little
    assert torch.equal(seen["t"], t)
    assert torch.allclose(seen["x"], (1 - t)[:, None, None, None] * batch.target)
    assert loss == 0 and objective.log["flow_at_1"] == 0 and objective.log["flow_before_1"] == 0


def test_the_log_tells_times_apart_and_leaves_out_what_was_not_there(batch):
    objective = flow(t_law="one")
    only(objective, Denoiser(), batch)
    assert "flow_at_1" in objective.log and "flow_before_1" not in objective.log
    objective = flow(t_law="uniform")
    only(objective, Denoiser(), batch)
    assert "flow_before_1" in objective.log and not {"flow_at_1", "gain"} & set(objective.log)


def test_the_exact_velocity_costs_nothing_on_the_bridge(batch):
    class Algebra(Oracle):
        def forward(self, x, t, **inputs):
            return (self.truth - x) / t[:, None, None, None]

    objective = flow(t_law="uniform", bridge_sigma=0.5)
    assert only(objective, Algebra(batch.target), batch).item() == pytest.approx(0, abs=1e-8)
    assert only(objective, Oracle(batch.target), batch).item() > 0.01


@pytest.mark.parametrize("steps", [1, 4, 20])
def test_prediction_with_the_exact_velocity(batch, steps):
    found = flow(steps=steps).predict(Oracle(batch.target), batch)
    assert torch.allclose(found, batch.target, atol=1e-5)


def test_one_step_is_the_answer_at_t_1(batch):
    network = Denoiser()
    zero, one = torch.zeros_like(batch.target), torch.ones(8)
    objective = flow()
    assert torch.equal(objective.predict(network, batch), network(zero, one, ms=None, **batch.inputs))
    assert not torch.equal(objective.predict(network, batch, steps=2), objective.predict(network, batch))


def test_draws_follow_the_seed(batch):
    objective, network = flow(), Denoiser()
    one, same, other = (only(objective, network, batch, seed).item() for seed in (1, 1, 2))
    assert one == pytest.approx(same, rel=1e-6) and one != pytest.approx(other, rel=1e-4)


def test_learning_takes_the_loss_down(batch):
    torch.manual_seed(0)
    objective, network = flow(t_law="one"), Denoiser()
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        only(objective, network, batch).backward()
        optimiser.step()
    assert objective.log["flow_at_1"] < 0.6


def test_what_cannot_be_is_refused(batch):
    with pytest.raises(InputError, match='set t_law = "one"'):
        flow().players(Plain(), 4)
    objective = flow(t_law="one")
    only(objective, Plain(), batch)
    with pytest.raises(InputError, match="answers in one step, not in 5"):
        objective.predict(Plain(), batch, steps=5)
    image = Denoiser()
    image.predicts = "image"
    with pytest.raises(InputError, match="predicts the image"):
        flow().players(image, 4)
    with pytest.raises(InputError, match="no reference"):
        only(regress(), Plain(), replace(batch, target=None))
    with pytest.raises(UnknownName, match="'uniform'"):
        flow(t_law="unifrom")
