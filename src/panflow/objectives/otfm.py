"""OTFM: flow matching with a critic's unbalanced optimal transport, for one step [otfm]."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from panflow.generative.noise import Draw
from panflow.generative.paths import arrive
from panflow.objectives._common import sample_means, valid, whole
from panflow.objectives._game import Game, Options, Rules
from panflow.objectives._pan import Modulation, spectral
from panflow.registry import closest
from panflow.types import Batch

LINEAR = 3.0  # where exp goes on along its tangent, so that no single member owns a batch


def _exp(x: Tensor, limit: float = LINEAR) -> Tensor:
    low = x.clamp_max(limit)
    return low.exp() * (1 + x - low)


def _chi2(x: Tensor) -> Tensor:
    return torch.where(x >= -2, x**2 / 4 + x, -torch.ones_like(x))


# f, the conjugate of the entropy that relaxes a marginal; exp is the Kullback-Leibler divergence's, identity exact
CONJUGATES: dict[str, Callable[[Tensor], Tensor]] = {
    "exp": _exp,
    "softplus": softplus,
    "chi2": _chi2,
    "identity": lambda x: x,
}


ESTIMATES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "path": arrive,
    "sum": lambda z, t, s: z + s,  # as Algorithm 1 prints it
    "start": lambda z, t, s: s,  # section 3.3's T = s + y0
}


@dataclass(frozen=True)
class Reading:
    """What the two readings of Algorithm 1 settle; every field is a recipe key, see `Objective`."""

    w: float = 0.005
    tau: float = 0.01
    lambda_spec: float = 0.5
    lambda_spat: float = 0.02
    f: str = "softplus"
    t_law: str = "mix"
    sigma: float | None = None
    estimate: str = "path"
    ramp: float = 0.1
    r1: float = 0.01
    critic: str = "folded"
    critic_norm: str = "group"
    condition_critic: bool = True


READINGS = {
    "resolved": Reading(),
    "paper": Reading(
        w=1.0,
        tau=1.0,
        lambda_spec=1.0,
        lambda_spat=1.0,
        f="exp",
        t_law="uniform",
        sigma=1.0,
        estimate="sum",
        ramp=0.0,
        r1=0.0,
        critic="joint",
        critic_norm="batch",
        condition_critic=False,
    ),
}


class Objective(nn.Module):
    """Two players, the network (velocity s) and the critic (potential v). In units of the answer, |.|^2_n being means
    divided by the residual's energy sigma^2:

        arrival     z1 = z_t + t s,    cost c = tau |z1|^2_n + lambda_spec g_spec(z1) + lambda_spat g_spat(z1)
        network     |s - x1|^2_n + w (c - v(z1, t)) + outer_spec g_spec(z1) + outer_spat g_spat(z1)
        critic      f(v(z1, t) - c) + f(-v(x1, t)) + r1 / 2 |grad v(x1, t)|^2, with z1 and c held fixed

    reading: "resolved", or "paper": Algorithm 1 as printed with only what cannot be evaluated resolved, that is
    z1 = z_t + s, t from U(0, 1), exp, batch normalisation, weights 1 on raw means (sigma = 1), a critic
    that sees the image alone. It fails; the resolved one is sound. Options given beside the reading replace its own:

    - w: the dial between the mean of all truths (0: flow matching, no critic) and plausible texture, turned up over
      `ramp` (a share of the training) from `begin` on;
    - tau, lambda_spec, lambda_spat: the cost (w tau above 1e-3 shrinks detail); outer_spec, outer_spat: outside w;
    - estimate: where the flow arrives, "path" z_t + t s, "sum" z_t + s (overshoots), "start" s;
    - f: "exp" (linear above 3), "softplus", "chi2" or "identity"; r1: gradient penalty, every `r1_every` steps;
    - t_law, p1, bridge_sigma, sigma: as in flow matching; steps: Euler steps of the prediction;
    - critic: "folded" scores band by band, for any number of bands, "joint" takes them as channels; critic_width,
      critic_norm ("group", "batch"); condition_critic: it sees the residual beside ms_up and pan, not the image.
    """

    def __init__(
        self,
        reading: str = "resolved",
        w: float | None = None,
        tau: float | None = None,
        lambda_spec: float | None = None,
        lambda_spat: float | None = None,
        f: str | None = None,
        t_law: str | None = None,
        sigma: float | None = None,
        estimate: str | None = None,
        ramp: float | None = None,
        r1: float | None = None,
        critic: str | None = None,
        critic_norm: str | None = None,
        condition_critic: bool | None = None,
        critic_width: int = 32,
        r1_every: int = 4,
        begin: float = 0.0,
        outer_spec: float = 0.0,
        outer_spat: float = 0.0,
        p1: float = 0.5,
        bridge_sigma: float = 0.0,
        steps: int = 1,
    ):
        given = {key: value for key, value in locals().items() if key in Reading.__annotations__ and value is not None}
        o = replace(READINGS[closest("reading", reading, tuple(READINGS))], **given)
        shared = Options.among({**locals(), **asdict(o)})
        super().__init__()
        self.reading = o
        self.f = CONJUGATES[closest("f", o.f, tuple(CONJUGATES))]
        self.estimate = ESTIMATES[closest("estimate", o.estimate, tuple(ESTIMATES))]
        self.game = Game(shared)
        self.outer_spec, self.outer_spat = outer_spec, outer_spat

    @property
    def log(self) -> dict[str, float]:
        return self.game.log.read()

    @property
    def evaluations(self) -> int:
        """How often `predict` asks the network."""
        return self.game.options.steps

    def players(self, network: nn.Module, bands: int | None = None) -> dict[str, nn.Module]:
        return self.game.players(network, bands)

    def losses(
        self,
        players: dict[str, nn.Module],
        batch: Batch,
        rng: torch.Generator | None = None,
        *,
        progress: float = 1.0,
    ) -> Iterator[tuple[str, Tensor]]:
        o, draw, playing = self.reading, self.game.draw(players["net"], batch, rng), self.game.begun(progress)
        z1 = self.estimate(draw.z, draw.t, draw.s)
        spec, spat = self._pan_terms(z1, batch, draw.energy, playing)
        loss = draw.loss + (self.outer_spec * spec + self.outer_spat * spat).mean()
        if not playing:
            yield "net", loss
            return
        transport = sample_means(z1**2, valid(batch)) / draw.energy
        cost = o.tau * transport + o.lambda_spec * spec + o.lambda_spat * spat
        self.game.log.add(cost=cost.mean(), transport=transport.mean(), spec=spec.mean(), spat=spat.mean())

        def judge(fake: Tensor, real: Tensor) -> Tensor:
            return self.f(fake - cost.detach()).mean() + self.f(-real).mean()

        rules = Rules(lambda fake: (cost - fake).mean(), judge)
        sight, ends = self.game.sight(batch, draw.energy), (z1, draw.x1)
        yield from self.game.turn(players["critic"], sight, ends, draw.t, loss, rules, progress)

    def _pan_terms(self, z1: Tensor, batch: Batch, energy: Tensor, playing: bool) -> tuple[Tensor, Tensor]:
        """g_spec and g_spat of every member, [B]; zero where nobody asks for them."""
        spec = spat = torch.zeros(len(z1), device=z1.device)
        fused = batch.ms_up + batch.unit * z1
        if self.outer_spec or (playing and self.reading.lambda_spec):
            spec = spectral(fused, whole(batch), batch.unit) / energy
        if self.outer_spat or (playing and self.reading.lambda_spat):
            spat = Modulation.of(whole(batch), batch.ms_up, batch.unit)(fused) / energy
        return spec, spat

    def predict(self, network: nn.Module, batch: Batch, noise: Draw | None = None, steps: int | None = None) -> Tensor:
        return self.game.predict(network, batch, steps)
