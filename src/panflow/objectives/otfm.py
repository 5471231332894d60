"""OTFM: flow matching with a critic's unbalanced optimal transport, for one step [otfm]."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from panflow.generative.paths import arrive
from panflow.objectives._common import sample_means, valid, whole
from panflow.objectives._game import Game, GameOptions, Rules
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
class Options(GameOptions):
    """See `Objective` and `GameOptions`; `of(reading="paper")` begins with those of Algorithm 1 as printed."""

    tau: float = 0.01
    lambda_spec: float = 0.5
    lambda_spat: float = 0.02
    f: str = "softplus"
    estimate: str = "path"
    outer_spec: float = 0.0
    outer_spat: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        closest("f", self.f, tuple(CONJUGATES))
        closest("estimate", self.estimate, tuple(ESTIMATES))

    @classmethod
    def of(cls, reading: str = "resolved", **values: Any) -> Self:
        return super().of(**{**READINGS[closest("reading", reading, tuple(READINGS))], **values})


READINGS: dict[str, dict[str, Any]] = {
    "resolved": {},
    "paper": {
        "w": 1.0,
        "tau": 1.0,
        "lambda_spec": 1.0,
        "lambda_spat": 1.0,
        "f": "exp",
        "t_law": "uniform",
        "sigma": 1.0,
        "estimate": "sum",
        "ramp": 0.0,
        "r1": 0.0,
        "critic": "joint",
        "critic_norm": "batch",
        "condition_critic": False,
    },
}


class Objective(Game):
    """Two players, the network (velocity s) and the critic (potential v). In units of the answer, |.|^2_n being means
    divided by the residual's energy sigma^2:

        arrival     z1 = z_t + t s,    cost c = tau |z1|^2_n + lambda_spec g_spec(z1) + lambda_spat g_spat(z1)
        network     |s - x1|^2_n + w (c - v(z1, t)) + outer_spec g_spec(z1) + outer_spat g_spat(z1)
        critic      f(v(z1, t) - c) + f(-v(x1, t)) + r1 / 2 |grad v(x1, t)|^2, with z1 and c held fixed

    reading: "resolved", or "paper": Algorithm 1 as printed with only what cannot be evaluated resolved, that is
    z1 = z_t + s, t from U(0, 1), exp, batch normalisation, weights 1 on raw means (sigma = 1), a critic
    that sees the image alone. It fails; the resolved one is sound. Options beside the reading replace those of it:

    - tau, lambda_spec, lambda_spat: the cost (w tau above 1e-3 shrinks detail); outer_spec, outer_spat: outside w;
    - estimate: where the flow arrives, "path" z_t + t s, "sum" z_t + s (overshoots), "start" s;
    - f: "exp" (linear above 3), "softplus", "chi2" or "identity".
    """

    options: Options

    def losses(
        self,
        players: dict[str, nn.Module],
        batch: Batch,
        rng: torch.Generator | None = None,
        *,
        progress: float = 1.0,
    ) -> Iterator[tuple[str, Tensor]]:
        o = self.options
        draw = self.draw(players["net"], batch, rng)
        playing = self.begun(progress)
        z1 = ESTIMATES[o.estimate](draw.z, draw.t, draw.s)
        spec, spat = self._pan_terms(z1, batch, draw.energy, playing)
        loss = draw.loss + (o.outer_spec * spec + o.outer_spat * spat).mean()
        if not playing:
            yield "net", loss
            return
        transport = sample_means(z1**2, valid(batch)) / draw.energy
        cost = o.tau * transport + o.lambda_spec * spec + o.lambda_spat * spat
        self._log.add(cost=cost.mean(), transport=transport.mean(), spec=spec.mean(), spat=spat.mean())

        f = CONJUGATES[o.f]

        def judge(fake: Tensor, real: Tensor) -> Tensor:
            return f(fake - cost.detach()).mean() + f(-real).mean()

        rules = Rules(lambda fake: (cost - fake).mean(), judge)
        view = self.view(batch, draw.energy)
        yield from self.turn(players["critic"], view, (z1, draw.x1), draw.t, loss, rules, progress)

    def _pan_terms(self, z1: Tensor, batch: Batch, energy: Tensor, playing: bool) -> tuple[Tensor, Tensor]:
        """g_spec and g_spat of every member, [B]; zero where nobody asks for them."""
        o = self.options
        spec = spat = torch.zeros(len(z1), device=z1.device)
        fused = batch.ms_up + batch.unit * z1
        if o.outer_spec or (playing and o.lambda_spec):
            spec = spectral(fused, whole(batch), batch.unit) / energy
        if o.outer_spat or (playing and o.lambda_spat):
            spat = Modulation.of(whole(batch), batch.ms_up, batch.unit)(fused) / energy
        return spec, spat
