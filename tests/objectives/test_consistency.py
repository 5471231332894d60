"""Consistency: the boundary, the neighbours, the average, how the intervals grow."""

import pytest
import torch
from toys import Gain, Oracle, flat, loss_of

from panflow.errors import UnknownName
from panflow.objectives.consistency import Objective, Options

STARTS = pytest.mark.parametrize("start", ["ms", "noise"])


@STARTS
def test_nothing_moves_at_the_truth(start):
    """F(z, 0) = z whatever the network answers."""
    batch = flat(2)
    z = batch.target
    found = Objective(Options(start, scale=2.0)).arrival(Gain(3.0), batch, z, torch.zeros(2))
    assert torch.equal(found, z)


@STARTS
def test_the_exact_velocity_is_consistent(start):
    batch = flat(64, std=0.5)
    objective = Objective(Options(start, scale=0.5))

    class Algebra(Oracle):
        """The line through z at t: x1 - start, in the objective's words."""

        def forward(self, z, t, **inputs):
            t = t[:, None, None, None]
            if start == "ms":
                return self.truth
            noise = (z - (1 - t) * self.truth / 0.5) / t
            return 0.5 * (self.truth / 0.5 - noise + z)

    loss = loss_of(objective, {"net": Algebra(batch.target), "average": Algebra(batch.target)}, batch)
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert objective.log["gain"] == pytest.approx(1, abs=1e-4)


def test_loss_of_a_linear_network_from_ms():
    """F(z) = z + t g z, z = (1 - t) x1; N = 1 has t = 1, t' = 0 alone: F = 0 at t = 1 against x1, which costs 1."""
    batch = flat(32)
    objective = Objective(Options("ms", first=1, last=1))
    assert loss_of(objective, objective.players(Gain(0.7)), batch).item() == pytest.approx(1, rel=1e-5)
    objective, network = Objective(Options("ms", first=2, last=2, ema=1.0)), Gain(0.7)
    players = objective.players(network)
    network.gain.data.fill_(0.2)
    loss = loss_of(objective, players, batch)
    late = (network.asked[0][1] == 1).float()[:, None, None, None]
    assert 0 < late.mean() < 1
    # t = 1: 0 against F'(x1 / 2) = x1 / 2 (1 + 0.7 / 2); t = 1/2: x1 / 2 (1 + 0.2 / 2) against x1
    error = torch.where(late == 1, 0.5 * 1.35, 1 - 0.5 * 1.1) * batch.target
    torch.testing.assert_close(loss, 2 * (error**2).mean() / (batch.target**2).mean())
    loss.backward()
    assert players["average"].gain.grad is None
    slope = -2 * 2 * (1 - late) * 0.45 * 0.25 * batch.target**2
    torch.testing.assert_close(network.gain.grad, slope.mean() / (batch.target**2).mean())


def test_neighbours_share_their_noise():
    batch, objective, network = flat(16, std=0.5), Objective(Options("noise", first=4, last=4, scale=0.5)), Gain(0.1)
    players = objective.players(network)
    loss_of(objective, players, batch)
    (z, t), (earlier, before) = network.asked[0], players["average"].asked[0]
    torch.testing.assert_close(before, t - 0.25)
    x1 = batch.target / 0.5
    t, before = t[:, None, None, None], before[:, None, None, None]
    noise = (z - (1 - t) * x1) / t
    torch.testing.assert_close(earlier, before * noise + (1 - before) * x1, atol=1e-5, rtol=0)
    assert noise.std().item() == pytest.approx(1, abs=0.1)


def test_intervals_grow_and_the_average_slows_down():
    objective = Objective(Options(first=20, last=150, ema=0.9))
    assert [objective.intervals(p) for p in (0.0, 0.5, 1.0)] == [20, 108, 150]
    batch, network = flat(2), Gain(1.0)
    for progress, decay in ((0.0, 0.9), (1.0, 0.9 ** (20 / 150))):
        players = objective.players(network)
        players["average"].gain.data.fill_(0.0)
        loss_of(objective, players, batch, progress=progress)
        assert players["average"].gain.item() == pytest.approx(1 - decay)


def test_one_step():
    """From noise the answer itself; from ms the answer at zero."""
    batch = flat(2)
    network = Gain(0.5)
    torch.testing.assert_close(
        Objective(Options("noise", scale=2.0)).predict(network, batch), 0.5 * network.asked[0][0]
    )
    assert not Objective(Options("ms")).predict(network, batch).any()
    with pytest.raises(UnknownName, match="'noise'"):
        Objective(Options("nosie"))
