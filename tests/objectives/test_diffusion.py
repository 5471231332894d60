"""Diffusion: both estimates, what networks are told, self-conditioning, samplers, DDIF's released sampler."""

import sys
from pathlib import Path

import pytest
import torch
from batches import Denoiser, Oracle, Plain, batch_of, place
from toys import Gain, flat, loss_of

from panflow.errors import InputError, UnknownName
from panflow.generative.noise import Noise
from panflow.networks import ddif
from panflow.objectives.diffusion import Objective, Options

STD, SCALE = 0.3, 0.5


@pytest.fixture(scope="module")
def many():
    return flat(4000, STD)


@pytest.mark.parametrize("gain", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_expected_loss_of_a_linear_network(many, gain, schedule):
    """x0 and noise are independent: the square splits into their variances. Means over 256000 numbers, 4000 steps."""
    objective = Objective(Options("l2", schedule=schedule, length=50, scale=SCALE, steps=10))
    a, power = objective.schedule.alpha_bar, (STD / SCALE) ** 2
    clean = (power * (gain / SCALE * a.sqrt() - 1) ** 2 + (gain / SCALE) ** 2 * (1 - a)).mean().item()
    noise = (power * gain**2 * a + (gain * (1 - a).sqrt() - 1) ** 2).mean().item()
    assert loss_of(objective, {"net": Gain(gain)}, many).item() == pytest.approx(clean, rel=0.04)
    assert loss_of(objective, {"net": Gain(gain, "clean")}, many).item() == pytest.approx(clean, rel=0.04)
    assert loss_of(objective, {"net": Gain(gain, "noise")}, many).item() == pytest.approx(noise, rel=0.04)


def test_l1_of_nothing_is_the_mean_size(many):
    """Of normal numbers: std sqrt(2 / pi)."""
    loss = loss_of(Objective(Options(scale=SCALE)), {"net": Gain(0.0)}, many).item()
    assert loss == pytest.approx(STD / SCALE * (2 / torch.pi) ** 0.5, rel=0.02)


def test_times_are_steps_for_denoisers_and_shares_for_flows(many):
    for network, times in ((Gain(0.0, "clean"), torch.arange(50)), (Gain(0.0), torch.arange(1, 51) / 50)):
        loss_of(Objective(Options(length=50)), {"net": network}, many)
        told = network.asked[0][1]
        assert torch.equal(told.unique(), times)


class NoiseOracle(Oracle):
    """Knows the truth, answers with the noise."""

    estimates = "noise"

    def __init__(self, truth, objective):
        super().__init__(truth / objective.options.scale)
        self.levels = objective.schedule.alpha_bar.float()

    def forward(self, x, t, **inputs):
        a = self.levels[t][:, None, None, None]
        return (x - a.sqrt() * self.truth) / (1 - a).sqrt()


@pytest.mark.parametrize("sampler", ["ddim", "ddpm", "dpm_solver"])
@pytest.mark.parametrize("estimates", ["clean", "noise"])
def test_who_knows_the_truth_samples_it(sampler, estimates):
    batch = flat(3)
    objective = Objective(Options("l2", "linear", 100, sampler, 10, scale=2.0))
    network = Oracle(batch.target) if estimates == "clean" else NoiseOracle(batch.target, objective)
    assert loss_of(objective, {"net": network}, batch).item() == pytest.approx(0, abs=1e-6)
    found = objective.predict(network, batch, Noise(1))
    torch.testing.assert_close(found, batch.target, atol=1e-3, rtol=0)


class Recalling(Gain):
    """Adds what it is shown of an earlier estimate."""

    takes_estimate = True

    def __init__(self, gain):
        super().__init__(gain, "clean")
        self.shown = []

    def forward(self, x, t, estimate=None, **inputs):
        self.shown.append(estimate)
        return super().forward(x, t) + (0 if estimate is None else self.gain * estimate)


def test_self_condition_is_the_first_answer_without_gradient():
    batch, network = flat(64), Recalling(0.5)
    loss = loss_of(Objective(Options("l2", scale=2.0, self_condition=1.0)), {"net": network}, batch)
    (x, _), (again, _) = network.asked
    first, second = network.shown
    assert torch.equal(x, again) and first is None and not second.requires_grad
    torch.testing.assert_close(second, 0.5 * x / 2.0)
    loss.backward()
    # d/dg mean (g (x + e) / 2 - x0)^2 with e held fixed
    slope = ((0.5 * (x + second) / 2 - batch.target / 2) * (x + second)).mean()
    torch.testing.assert_close(network.gain.grad, slope)


def test_self_condition_happens_to_its_share_of_batches():
    batch, objective, network = flat(1), Objective(Options(self_condition=0.3)), Recalling(0.5)
    for seed in range(400):
        loss_of(objective, {"net": network}, batch, seed)
    assert len(network.shown) - 400 == pytest.approx(120, abs=30)  # three standard deviations


def test_the_sampler_feeds_its_estimate_back():
    batch, network = flat(2), Recalling(0.5)
    Objective(Options(steps=5, self_condition=0.5)).predict(network, batch)
    answers = [0.5 * x + (0 if e is None else 0.5 * e) for (x, _), e in zip(network.asked, network.shown)]
    assert network.shown[0] is None
    for shown, answer in zip(network.shown[1:], answers):
        torch.testing.assert_close(shown, answer)
    assert [t[0].item() for _, t in network.asked] == [400, 300, 200, 100, 0]


def test_faithful_time_tells_small_times_and_feeds_nothing_back():
    batch, network = flat(2), Recalling(0.5)
    Objective(Options(steps=5, self_condition=0.5, faithful_time=True)).predict(network, batch)
    assert network.shown == [None] * 5
    assert [t[0].item() for _, t in network.asked] == [4, 3, 2, 1, 0]


def test_released_run_of_ddif(shared):
    sys.path.append(str(Path(__file__).parents[1] / "golden/networks"))
    from golden import load, recorded

    network = load(ddif.Network(4), recorded(shared, "seeded/ddif_4b.npz")[0], ddif.Network.KEYS).requires_grad_(False)
    run = recorded(shared, "seeded/ddif_4b_ddim25.npz")[1]
    batch = batch_of(place(0, batch=1))
    batch.inputs.update(ms_up=run["cond"][:, :4], pan=run["cond"][:, 4:5])
    objective = Objective(Options(self_condition=0.5, faithful_time=True))
    torch.testing.assert_close(objective.sample(network, batch, run["noise"]), run["out_500"], atol=1e-4, rtol=0)


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="noise has to come in somewhere"):
        Objective(Options()).players(Plain())
    with pytest.raises(InputError, match="takes no earlier estimate: set self_condition = 0"):
        Objective(Options(self_condition=0.5)).players(Denoiser())
    assert set(Objective(Options(self_condition=0.5)).players(Recalling(1.0))) == {"net"}
    with pytest.raises(UnknownName, match="'ddim'"):
        Objective(Options(sampler="dimm"))
