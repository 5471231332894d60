"""OTFM's objective: costs, game, gradients, dials, and what its two readings do."""

from dataclasses import replace

import pytest
import rasterio
import torch
from batches import Denoiser, Oracle, Plain, batch_of, place
from torch import nn

from panflow import types
from panflow.errors import InputError, UnknownName
from panflow.objectives import flow_matching
from panflow.objectives._pan import Modulation, spectral
from panflow.objectives.otfm import CONJUGATES, Objective, Options
from panflow.ops.degrade import wald
from panflow.ops.resample import ms_up
from panflow.pairs import make_pair

BARE = {"tau": 0.0, "lambda_spec": 0.0, "lambda_spat": 0.0, "r1": 0.0}


@pytest.fixture(scope="module")
def batch():
    return batch_of(place(0, batch=4))


class Scaled(types.Network, nn.Module):
    """Answers with a share of the truth, which is its one parameter."""

    inputs = ()
    denoiser = True
    predicts = "residual"

    def __init__(self, truth: torch.Tensor, share: float):
        super().__init__()
        self.truth, self.share = truth, nn.Parameter(torch.tensor(share))

    def forward(self, x, t, **inputs):
        return self.share * self.truth


def still(critic: nn.Module) -> nn.Module:
    """The critic that scores everything with zero."""
    nn.init.zeros_(critic.score.weight)
    nn.init.zeros_(critic.score.bias)
    return critic


def turns(objective, network, batch, seed: int = 0, progress: float = 1.0, quiet: bool = False):
    """The losses by player, and the players."""
    players = objective.players(network, batch.pair.bands)
    if quiet:
        still(players["critic"])
    rng = torch.Generator().manual_seed(seed)
    return dict(objective.losses(players, batch, rng, progress=progress)), players


def test_the_truth_satisfies_the_spectral_term(batch):
    pair, unit = batch.pair, batch.unit
    assert spectral(pair.reference, pair, unit).max() < 1e-8
    assert (spectral(batch.ms_up, pair, unit) > 1e-4).all()


@pytest.mark.parametrize("bands", [4, 8])
def test_the_spatial_term_prefers_the_truth(bands):
    pair = place(1, batch=3, bands=bands, size=48)
    up = ms_up(pair)
    term = Modulation.of(pair, up, torch.ones(1, 1, 1, 1))
    assert (term(pair.reference) < term(up)).all()


@pytest.mark.parametrize(
    ("folder", "sensor", "phase"),
    [
        ("restricted/worldview2", "worldview2", (1.0, 1.5)),
        ("restricted/ikonos", "ikonos", (2.0, 2.0)),
        ("restricted/spot6-cropland", "spot6", (1.5, 1.5)),
        ("restricted/gaofen2-full-0", "gaofen2", (0.0, 1.5)),
        ("open/worldview2-rotterdam-1", "worldview2", (1.0, 0.5)),
    ],
)
def test_the_pan_terms_prefer_the_truth_on_every_sensor(shared, folder, sensor, phase):
    def read(name: str) -> torch.Tensor:
        with rasterio.open(shared / "data" / folder / name) as file:
            return torch.from_numpy(file.read().astype("float32"))

    pair = wald(make_pair(read("pan.tif"), read("ms.tif"), sensor, phase, double=False))
    up = ms_up(pair)
    unit = (pair.reference - up).std((2, 3), keepdim=True)
    term = Modulation.of(pair, up, unit)
    assert term(pair.reference) < 0.9 * term(up)
    assert spectral(pair.reference, pair, unit) < 1e-6 < spectral(up, pair, unit)


def test_bands_that_do_not_follow_pan_are_left_alone():
    pair = place(1, batch=1)
    alien = pair.reference.clone()
    alien[:, 2] = alien[:, 2].flip(-1)
    up = ms_up(pair)
    up[:, 2] = up[:, 2].flip(-1)
    term = Modulation.of(pair, up, torch.ones(1, 1, 1, 1))
    assert term.weight.flatten().tolist() == [1, 1, 0, 1]
    spoilt = alien.clone()
    spoilt[:, 2] = 0
    assert torch.equal(term(alien), term(spoilt))


def test_pan_terms_leave_out_what_is_invalid(batch):
    pair = replace(batch.pair, ms_valid=torch.ones(4, 1, 8, 8, dtype=torch.bool))
    pair.ms_valid[:, :, 2:4] = False
    broken = replace(pair, ms=pair.ms.clone())
    broken.ms[:, :, 2:4] = 1e6
    assert spectral(batch.pair.reference, broken, batch.unit).max() < 1e-8


@pytest.mark.parametrize(("f", "value"), [("exp", 2.0), ("softplus", 1.3863), ("identity", 0.0), ("chi2", 0.0)])
def test_the_game_starts_even(batch, f, value):
    objective = Objective(Options(f=f, **BARE))
    losses, _ = turns(objective, Denoiser(), batch, quiet=True)
    assert losses["critic"].item() == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize("f", sorted(CONJUGATES))
def test_conjugates_are_convex_rising_and_steep_one_at_most_where_promised(f):
    x = torch.linspace(-6, 6, 2001, dtype=torch.double).requires_grad_()
    (slope,) = torch.autograd.grad(CONJUGATES[f](x).sum(), x)
    assert (slope >= 0).all() and (slope.diff() >= -1e-9).all()
    at_zero = slope[1000].item()
    assert at_zero == pytest.approx(0.5 if f == "softplus" else 1.0)
    assert torch.allclose(CONJUGATES[f](x).diff() / x.diff(), (slope[1:] + slope[:-1]) / 2, atol=1e-2)


def test_exp_is_linear_where_it_would_explode():
    assert CONJUGATES["exp"](torch.tensor(100.0)).item() == pytest.approx(98 * 2.718281828**3, rel=1e-5)


def test_each_loss_moves_its_own_player(batch):
    objective, network = Objective(Options()), Denoiser()
    players = objective.players(network, 4)
    turn = objective.losses(players, batch, torch.Generator().manual_seed(0))
    _, loss = next(turn)
    loss.backward()
    assert all(p.grad is None for p in players["critic"].parameters())
    assert all(p.grad.any() for p in network.parameters())
    network.zero_grad()
    _, loss = next(turn)
    loss.backward()
    assert all(p.grad is None for p in network.parameters())
    assert any(p.grad.any() for p in players["critic"].parameters())


def test_the_losses_are_those_of_the_algorithm(batch):
    """Against a second calculation, at t = 1 with a critic that sees the residual alone."""
    w, tau = 0.3, 0.2
    objective = Objective(Options(w=w, tau=tau, lambda_spec=0.0, lambda_spat=0.0, r1=0.0, t_law="one", sigma=0.5))
    network = Denoiser()
    losses, players = turns(objective, network, batch)
    critic, energy = players["critic"], 0.25
    s = objective.predict(network, batch)

    def v(z: torch.Tensor) -> torch.Tensor:
        maps = [z / 0.5, (z / 0.5).mean(1, keepdim=True), batch.inputs["ms_up"], batch.inputs["pan"]]
        return critic(torch.stack([m.expand_as(z) for m in maps], 2), torch.ones(4))

    cost = tau * s.square().mean((1, 2, 3)) / energy
    flow = (s - batch.target).square().mean() / energy
    assert torch.allclose(losses["net"], flow + w * (cost - v(s)).mean())
    softplus = nn.functional.softplus
    assert torch.allclose(losses["critic"], softplus(v(s) - cost).mean() + softplus(-v(batch.target)).mean())


@pytest.mark.parametrize(("estimate", "exact"), [("path", True), ("start", True), ("sum", False)])
def test_where_the_exact_velocity_arrives(batch, estimate, exact):
    """At the truth, so that fakes score like reals; but not by the sum that Algorithm 1 prints."""
    objective = Objective(Options(estimate=estimate, t_law="uniform", **BARE))
    turns(objective, Oracle(batch.target), batch)
    alike = objective.log["v_fake"] == pytest.approx(objective.log["v_real"], abs=1e-5)
    assert alike is exact


def test_estimates_differ_where_the_velocity_is_not_exact(batch):
    found = []
    for estimate in ("path", "start"):
        torch.manual_seed(0)
        turns(objective := Objective(Options(estimate=estimate, t_law="uniform", **BARE)), Denoiser(), batch)
        found.append(objective.log["v_fake"])
    assert found[0] != pytest.approx(found[1], abs=1e-4)


def test_the_shrinkage_law(batch):
    """|s - x1|^2 + w tau |s|^2 is smallest at x1 / (1 + w tau): the weights of the paper cost half of the detail."""
    for w, tau in ((1.0, 1.0), (0.1, 0.5)):
        objective = Objective(Options(w=w, tau=tau, lambda_spec=0.0, lambda_spat=0.0, r1=0.0, t_law="one"))
        network = Scaled(batch.target, 1 / (1 + w * tau))
        turns_, _ = turns(objective, network, batch, quiet=True)
        turns_["net"].backward()
        assert abs(network.share.grad.item()) < 1e-5
        network.share.grad = None
        with torch.no_grad():
            network.share += 0.1
        turns(objective, network, batch, quiet=True)[0]["net"].backward()
        assert network.share.grad.item() == pytest.approx(2 * 0.1 * (1 + w * tau), rel=1e-3)


def test_pan_terms_outside_the_dial(batch):
    network = Scaled(batch.target, 0.5)
    plain = flow_matching.Objective(flow_matching.Options(t_law="one"))
    [(_, flow)] = plain.losses({"net": network}, batch)
    objective = Objective(Options(w=0.0, t_law="one", outer_spec=2.0, outer_spat=3.0))
    losses, players = turns(objective, network, batch)
    assert set(players) == {"net"} == set(losses)
    energy, fused = plain.flow.energy.value, batch.ms_up + batch.unit * 0.5 * batch.target
    spec = spectral(fused, batch.pair, batch.unit).mean() / energy
    spat = Modulation.of(batch.pair, batch.ms_up, batch.unit)(fused).mean() / energy
    assert torch.allclose(losses["net"], flow + 2 * spec + 3 * spat)
    losses["net"].backward()
    assert network.share.grad is not None


def test_without_w_it_is_flow_matching(batch):
    network = Denoiser()
    [(_, flow)] = flow_matching.Objective(flow_matching.Options()).losses(
        {"net": network}, batch, torch.Generator().manual_seed(3)
    )
    losses, _ = turns(Objective(Options(w=0.0)), network, batch, seed=3)
    assert torch.equal(losses["net"], flow)


def test_the_dial_is_turned_up_after_its_beginning(batch):
    objective = Objective(Options(w=0.4, begin=0.5, ramp=0.2))
    assert set(turns(objective, Denoiser(), batch, progress=0.4)[0]) == {"net"}
    found = []
    for progress in (0.5, 0.6, 0.9):
        assert set(turns(objective, Denoiser(), batch, progress=progress)[0]) == {"net", "critic"}
        found.append(objective.log["w"])
    assert found == pytest.approx([0, 0.2, 0.4])


def test_the_penalty_is_lazy_and_counts_for_the_steps_between(batch):
    torch.manual_seed(0)
    objective = Objective(Options(r1=0.7, r1_every=3))
    plain = Objective(Options(r1=0.0))
    players = objective.players(Denoiser(), 4)
    gaps = []
    for step in range(6):
        losses = [
            dict(o.losses(players, batch, torch.Generator().manual_seed(step)))["critic"] for o in (objective, plain)
        ]
        gaps.append((losses[0] - losses[1]).item())
        if step % 3 == 2:
            assert gaps[-1] == pytest.approx(0.5 * 0.7 * 3 * objective.log["r1"], rel=1e-3)
    assert [gap > 0 for gap in gaps] == [False, False, True] * 2
    again = Objective(Options(r1=0.7, r1_every=3))
    again.load_state_dict(objective.state_dict())
    assert again.step == 6


@pytest.mark.parametrize("critic", ["folded", "joint"])
@pytest.mark.parametrize("condition", [True, False])
def test_critics(batch, critic, condition):
    objective = Objective(Options(critic=critic, condition_critic=condition))
    losses, _ = turns(objective, Denoiser(), batch)
    (losses["net"] + losses["critic"]).backward()
    assert {"v_real", "v_fake", "cost", "transport", "spec", "spat", "gain", "energy", "sigma", "w"} <= set(
        objective.log
    )


def test_a_folded_critic_serves_any_number_of_bands(batch):
    objective = Objective(Options())
    players = objective.players(Denoiser(), None)
    eight = batch_of(place(2, batch=2, bands=8))
    for seen in (batch, eight):
        losses = dict(objective.losses(players | {"net": Oracle(seen.target)}, seen, torch.Generator()))
        assert losses["critic"].isfinite()


def test_the_paper_reading(batch):
    objective = Objective(Options.of(reading="paper", r1=0.5))
    o = objective.options
    assert (o.w, o.tau, o.lambda_spec, o.lambda_spat, o.f, o.t_law) == (1, 1, 1, 1, "exp", "uniform")
    assert o.estimate == "sum" and o.sigma == 1 and o.critic_norm == "batch" and o.r1 == 0.5
    network = Denoiser()
    losses, _ = turns(objective, network, batch, quiet=True)
    [(_, flow)] = flow_matching.Objective(flow_matching.Options("uniform", sigma=1.0)).losses(
        {"net": network}, batch, torch.Generator().manual_seed(0)
    )
    log = objective.log
    assert torch.allclose(losses["net"], flow + log["transport"] + log["spec"] + log["spat"])


def test_prediction(batch):
    network = Denoiser()
    objective = Objective(Options())
    plain = flow_matching.Objective(flow_matching.Options())
    assert torch.equal(objective.predict(network, batch), plain.predict(network, batch))
    assert torch.equal(objective.predict(network, batch, steps=3), plain.predict(network, batch, steps=3))


def test_what_cannot_be_is_refused(batch):
    with pytest.raises(UnknownName, match="'softplus'"):
        Options(f="sofplus")
    with pytest.raises(UnknownName, match="'resolved'"):
        Options.of(reading="resolvd")
    with pytest.raises(InputError, match='set t_law = "one"'):
        Objective(Options()).players(Plain(), 4)
    with pytest.raises(InputError, match='set critic = "folded"'):
        Objective(Options(critic="joint")).players(Denoiser(), None)
    blind = replace(batch, inputs={"pan": batch.inputs["pan"]})
    with pytest.raises(InputError, match="set condition_critic = false"):
        turns(Objective(Options()), Oracle(batch.target), blind)
    window = replace(batch, ms_up=batch.ms_up[..., :24], target=batch.target[..., :24])
    with pytest.raises(InputError, match="both cut alike"):
        turns(Objective(Options()), Oracle(window.target), window)
