"""FM+NOT: flow matching with the critic of neural optimal transport, whose marginals are exact [neural_ot]."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from panflow.generative.paths import arrive
from panflow.objectives._common import sample_means, valid
from panflow.objectives._game import Game, GameOptions, Rules
from panflow.types import Batch


@dataclass(frozen=True)
class Options(GameOptions):
    """See `Objective` and `GameOptions`."""

    tau: float = 0.01
    r1_every: int = 1  # at every one of the critic's rare steps
    t_steps_per_v: int = 10


class Objective(Game):
    """OTFM's game with f the identity and the quadratic cost alone, in units of the answer:

        network     |s - x1|^2_n + w (tau |z1|^2_n - v(z1, t)),   z1 = z_t + t s
        critic      v(z1, t) - v(x1, t) + r1 / 2 |grad v(x1, t)|^2, once in `t_steps_per_v` steps of the network

    The identity bounds nothing, so that the critic's slope is ours to limit; [neural_ot] has no penalty (r1 = 0) and
    10 steps to one.
    """

    options: Options

    def losses(
        self, players: dict[str, nn.Module], batch: Batch, rng: torch.Generator | None = None, *, progress: float = 1.0
    ) -> Iterator[tuple[str, Tensor]]:
        draw = self.draw(players["net"], batch, rng)
        if not self.begun(progress):
            yield "net", draw.loss
            return
        z1 = arrive(draw.z, draw.t, draw.s)
        cost = self.options.tau * (sample_means(z1**2, valid(batch)) / draw.energy)
        self._log.add(cost=cost.mean())
        rules = Rules(
            lambda fake: (cost - fake).mean(),
            lambda fake, real: (fake - cost.detach()).mean() + (-real).mean(),
        )
        view = self.view(batch, draw.energy)
        turn = self.turn(players["critic"], view, (z1, draw.x1), draw.t, draw.loss, rules, progress)
        yield next(turn)
        if int(self.step) % self.options.t_steps_per_v == 0:  # else the critic's loss is not even computed
            yield from turn
