"""FM+GAN: flow matching with the discriminator of a diffusion GAN for one step, as UFOGen [ufogen]."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from panflow.generative import paths
from panflow.generative.paths import arrive
from panflow.objectives._flow import Step
from panflow.objectives._game import Game, GameOptions, Rules
from panflow.objectives._noise import normal
from panflow.types import Batch

RULES = Rules(
    network=lambda fake: softplus(-fake).mean(),
    critic=lambda fake, real: softplus(fake).mean() + softplus(-real).mean(),
)


@dataclass(frozen=True)
class Options(GameOptions):
    """See `Objective` and `GameOptions`."""

    w: float = 0.01
    back: float = 0.5


class Objective(Game):
    """OTFM's two players with softplus and no cost; in units of the answer, z1 = z_t + t s where the line ends:

        network     |s - x1|^2_n + w softplus(-v(z1, t))        (the first is the reconstruction of [ufogen])
        critic      softplus(v(z1, t)) + softplus(-v(x1, t)) + r1 / 2 |grad v(x1, t)|^2, z1 held fixed

    What the network gains from the critic is bounded: -v has slope 1 in OTFM, at most 1 here. [ufogen] compares
    noised images: where there is a bridge_sigma, z1 and x1 go back along the bridge to the time t - back, each with
    other noise. Without one they are compared as they are.
    """

    options: Options

    def losses(
        self, players: dict[str, nn.Module], batch: Batch, rng: torch.Generator | None = None, *, progress: float = 1.0
    ) -> Iterator[tuple[str, Tensor]]:
        draw = self.draw(players["net"], batch, rng)
        if not self.begun(progress):
            yield "net", draw.loss
            return
        fake, when = self._back(arrive(draw.z, draw.t, draw.s), draw, rng)
        real, _ = self._back(draw.x1, draw, rng)
        view = self.view(batch, draw.energy)
        yield from self.turn(players["critic"], view, (fake, real), when, draw.loss, RULES, progress)

    def _back(self, end: Tensor, draw: Step, rng: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """What the critic sees of the end of a path, and at which time."""
        sigma = self.options.bridge_sigma
        if not sigma:
            return end, draw.t
        when = (draw.t - self.options.back).clamp_min(paths.EARLIEST)
        noised, _ = paths.bridge(end, when, normal(end, rng), sigma * draw.energy.sqrt())
        return noised, when
