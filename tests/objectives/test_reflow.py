"""Reflow: the flow from noise, the teacher, the pairs."""

import pytest
import torch
from batches import Denoiser, Oracle, Plain
from toys import Gain, flat, loss_of

from panflow.errors import InputError
from panflow.networks import ddif
from panflow.objectives.reflow import Objective, Options

STD, SCALE = 0.3, 0.5


@pytest.mark.parametrize("gain", [0.0, 0.3])
def test_expected_loss_of_a_linear_teacher(gain):
    """E_t (g ((1 - t) x1 + t e) / scale - x1)^2 with E (1 - t)^2 = E t^2 = 1/3, E (1 - t) = 1/2."""
    objective, g, power = Objective(Options(scale=SCALE)), gain / SCALE, (STD / SCALE) ** 2
    expected = power * (g * g / 3 - g + 1) + g * g / 3
    loss = loss_of(objective, objective.players(Gain(gain)), flat(4000, STD), progress=0.0)
    assert loss.item() == pytest.approx(expected, rel=0.04)


def test_pairs_are_the_teachers_euler_steps():
    """dx/dt = (x - g x / scale) / t in N steps: x shrinks by 1 - h (1 - g / scale) / t at t = 1, 1 - h, ..."""
    objective = Objective(Options(steps=4, scale=SCALE))
    players = objective.players(Gain(0.3))
    players["net"].gain.data.fill_(0.1)
    loss = loss_of(objective, players, flat(8), progress=0.6)
    noise = players["net"].asked[0][0]
    wanted = noise * torch.tensor([1 - 0.25 / t * (1 - 0.3 / SCALE) for t in (1, 0.75, 0.5, 0.25)]).prod()
    torch.testing.assert_close(loss, ((0.1 * noise / SCALE - wanted) ** 2).mean())
    assert (players["net"].asked[0][1] == 1).all()
    loss.backward()
    assert players["teacher"].gain.grad is None
    slope = (2 * (0.1 * noise / SCALE - wanted) * noise / SCALE).mean()
    torch.testing.assert_close(players["net"].gain.grad, slope)


def test_pairs_follow_the_seed_and_not_the_student():
    batch, objective = flat(8), Objective(Options(steps=3))
    players = objective.players(Gain(0.3))
    one, same, other = (loss_of(objective, players, batch, seed, progress=0.9).item() for seed in (1, 1, 2))
    assert one == same != other


def test_the_teacher_follows_until_it_teaches():
    batch, objective = flat(2), Objective(Options(teach=0.5, ema=0.9))
    players = objective.players(Gain(1.0))
    players["net"].gain.data.fill_(2.0)
    loss_of(objective, players, batch, progress=0.2)
    assert players["teacher"].gain.item() == pytest.approx(1.1)
    loss_of(objective, players, batch, progress=0.5)
    assert players["teacher"].gain.item() == pytest.approx(1.1)


def test_a_teacher_that_knows_the_truth_teaches_it():
    batch = flat(3)
    objective = Objective(Options(teach=0.0, steps=7, scale=2.0))
    players = {"net": Gain(0.0), "teacher": Oracle(batch.target)}
    assert loss_of(objective, players, batch).item() == pytest.approx((batch.target / 2).square().mean().item())
    for steps in (1, 5):
        found = Objective(Options(scale=2.0, predict_steps=steps)).predict(Oracle(batch.target), batch)
        torch.testing.assert_close(found, batch.target, atol=1e-5, rtol=0)


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="noise has to come in somewhere"):
        Objective(Options()).players(Plain())
    with pytest.raises(InputError, match="ddif counts the steps of a diffusion"):
        Objective(Options()).players(ddif.Network(4, width=8, multipliers=(1, 1), blocks=1))
    assert set(Objective(Options()).players(Denoiser())) == {"net", "teacher"}
