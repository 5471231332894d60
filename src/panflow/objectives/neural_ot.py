"""FM+NOT: flow matching with the critic of neural optimal transport, whose marginals are exact [neural_ot]."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from panflow.generative.noise import Draw
from panflow.generative.paths import arrive
from panflow.objectives._common import sample_means, valid
from panflow.objectives._game import Game, Options, Rules
from panflow.types import Batch


class Objective(nn.Module):
    """OTFM's game with f the identity and the quadratic cost alone, in units of the answer:

        network     |s - x1|^2_n + w (tau |z1|^2_n - v(z1, t)),   z1 = z_t + t s
        critic      v(z1, t) - v(x1, t) + r1 / 2 |grad v(x1, t)|^2, once in `t_steps_per_v` steps of the network

    The identity bounds nothing, so that the critic's slope is ours to limit; [neural_ot] has no penalty (r1 = 0) and
    10 steps to one. Other options as in otfm.
    """

    def __init__(
        self,
        w: float = 0.005,
        tau: float = 0.01,
        r1: float = 0.01,
        t_steps_per_v: int = 10,
        t_law: str = "mix",
        p1: float = 0.5,
        bridge_sigma: float = 0.0,
        sigma: float | None = None,
        ramp: float = 0.1,
        begin: float = 0.0,
        critic: str = "folded",
        critic_norm: str = "group",
        critic_width: int = 32,
        condition_critic: bool = True,
        steps: int = 1,
    ):
        shared = Options.among({**locals(), "r1_every": 1})  # at every one of the critic's rare steps
        super().__init__()
        self.tau, self.t_steps_per_v, self.game = tau, t_steps_per_v, Game(shared)

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
        self, players: dict[str, nn.Module], batch: Batch, rng: torch.Generator | None = None, *, progress: float = 1.0
    ) -> Iterator[tuple[str, Tensor]]:
        draw = self.game.draw(players["net"], batch, rng)
        if not self.game.begun(progress):
            yield "net", draw.loss
            return
        z1 = arrive(draw.z, draw.t, draw.s)
        cost = self.tau * (sample_means(z1**2, valid(batch)) / draw.energy)
        self.game.log.add(cost=cost.mean())
        rules = Rules(
            lambda fake: (cost - fake).mean(),
            lambda fake, real: (fake - cost.detach()).mean() + (-real).mean(),
        )
        sight, ends = self.game.sight(batch, draw.energy), (z1, draw.x1)
        turn = self.game.turn(players["critic"], sight, ends, draw.t, draw.loss, rules, progress)
        yield next(turn)
        if int(self.game.step) % self.t_steps_per_v == 0:  # else the critic's loss is not even computed
            yield from turn

    def predict(self, network: nn.Module, batch: Batch, noise: Draw | None = None) -> Tensor:
        return self.game.predict(network, batch)
