"""FM+NOT and FM+GAN: losses with a critic that can be written down, whom gradients reach, who has a turn."""

import pytest
import torch
from batches import Oracle
from torch import nn
from torch.nn.functional import softplus
from toys import RNG, flat

from panflow.objectives import gan, neural_ot

BOTH = pytest.mark.parametrize("game", [neural_ot, gan], ids=["neural_ot", "gan"])
W, SHARE, SLOPE = 0.3, 0.6, 0.7


class Scaled(Oracle):
    """Answers with a share of the truth, its one parameter."""

    def __init__(self, truth):
        super().__init__(truth)
        self.share = nn.Parameter(torch.tensor(SHARE))

    def forward(self, x, t, **inputs):
        return self.share * self.truth


class Tilted(nn.Module):
    """v = slope * mean of what is judged, the first of the folded channels."""

    def __init__(self):
        super().__init__()
        self.slope, self.seen = nn.Parameter(torch.tensor(SLOPE)), []

    def forward(self, x, t):
        self.seen.append((x[:, :, 0].detach(), t))
        return self.slope * x[:, :, 0].mean((1, 2, 3))


def play(game, batch, seed=0, **options):
    """The losses of a step at t = 1, the players."""
    objective = game.Objective(game.Options(w=W, t_law=options.pop("t_law", "one"), **options))
    players = {"net": Scaled(batch.target), "critic": Tilted()}
    return dict(objective.losses(players, batch, RNG.manual_seed(seed))), players, objective


@pytest.fixture(scope="module")
def batch():
    return flat(16, std=0.4)


@pytest.fixture(scope="module")
def means(batch):
    """Of every member of the truth, in units of sigma."""
    return batch.target.mean((1, 2, 3)) / batch.target.square().mean().sqrt()


def test_gan_in_closed_form(batch, means):
    losses, players, _ = play(gan, batch, r1=0.8, r1_every=1)
    fake, real = SLOPE * SHARE * means, SLOPE * means
    torch.testing.assert_close(losses["net"], (1 - SHARE) ** 2 + W * softplus(-fake).mean())
    penalty = SLOPE**2 / 64  # 64 pixels, each with the slope over 64
    torch.testing.assert_close(losses["critic"], softplus(fake).mean() + softplus(-real).mean() + 0.5 * 0.8 * penalty)
    losses["net"].backward()
    bounded = (W * SLOPE * torch.sigmoid(-fake) * means).mean()
    torch.testing.assert_close(players["net"].share.grad, 2 * (SHARE - 1) - bounded)


def test_neural_ot_in_closed_form(batch, means):
    losses, players, _ = play(neural_ot, batch, tau=0.2, r1=0.8, t_steps_per_v=1)
    torch.testing.assert_close(losses["net"], (1 - SHARE) ** 2 + W * (0.2 * SHARE**2 - SLOPE * SHARE * means.mean()))
    moved = SLOPE * (SHARE - 1) * means.mean() - 0.2 * SHARE**2  # the cost is a constant to the critic
    torch.testing.assert_close(losses["critic"], moved + 0.5 * 0.8 * SLOPE**2 / 64)
    losses["critic"].backward()
    torch.testing.assert_close(players["critic"].slope.grad, (SHARE - 1) * means.mean() + 0.8 * SLOPE / 64)


@BOTH
def test_each_player_learns_from_its_own_loss_only(batch, game):
    objective = game.Objective(game.Options(w=W, **({"t_steps_per_v": 1} if game is neural_ot else {})))
    players = {"net": Scaled(batch.target), "critic": Tilted()}
    for player, loss in objective.losses(players, batch, RNG.manual_seed(0)):
        loss.backward()
        for name, module in players.items():
            touched = [p.grad is not None for p in module.parameters()]
            assert all(touched) if name == player else not any(touched)
            module.zero_grad(set_to_none=True)


@BOTH
def test_without_weight_there_is_no_critic(batch, game):
    objective, network = game.Objective(game.Options(w=0.0, t_law="one")), Scaled(batch.target)
    players = objective.players(network, 1)
    assert set(players) == {"net"}
    losses = dict(objective.losses(players, batch, RNG.manual_seed(0)))
    assert set(losses) == {"net"} and losses["net"].item() == pytest.approx((1 - SHARE) ** 2, rel=1e-5)


@BOTH
def test_the_game_is_turned_up(batch, game):
    objective = game.Objective(game.Options(w=W, t_law="one", begin=0.2, ramp=0.4))
    players = {"net": Scaled(batch.target), "critic": Tilted()}
    plain, half, whole = (
        dict(objective.losses(players, batch, RNG.manual_seed(0), progress=p))["net"].item() for p in (0.1, 0.4, 0.9)
    )
    assert plain == pytest.approx((1 - SHARE) ** 2, rel=1e-5)
    assert half - plain == pytest.approx((whole - plain) / 2, rel=1e-3)


def test_the_potential_waits_for_ten_steps_of_the_network(batch):
    objective = neural_ot.Objective(neural_ot.Options())
    players = objective.players(Scaled(batch.target), 1)
    turns = [[name for name, _ in objective.losses(players, batch, RNG.manual_seed(k))] for k in range(20)]
    assert [len(names) for names in turns] == ([1] * 9 + [2]) * 2
    assert turns[9] == ["net", "critic"]


def test_noised_images_are_compared_at_an_earlier_time():
    batch, b = flat(400), 0.5
    _, players, objective = play(gan, batch, t_law="mix", bridge_sigma=b, back=0.4, r1=0.0)
    (persuaded, when), (fake, again), (real, _) = players["critic"].seen
    assert torch.equal(persuaded, fake) and torch.equal(when, again)
    assert when.max().item() == pytest.approx(0.6) and when.min() >= 0.001  # of the members at t = 1
    last = when > 0.5999
    x1 = batch.target[last] / objective.log["sigma"]
    noise = (real[last] - 0.4 * x1) / (b * (0.4 * 0.6) ** 0.5)
    assert noise.std().item() == pytest.approx(1, abs=0.03) and noise.mean().item() == pytest.approx(0, abs=0.03)
    other = (fake[last] - 0.4 * SHARE * x1) / (b * (0.4 * 0.6) ** 0.5)
    assert other.std().item() == pytest.approx(1, abs=0.03)
    assert (noise * other).mean().item() == pytest.approx(0, abs=0.03)
