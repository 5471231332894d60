"""FM+GAN: flow matching with the discriminator of a diffusion GAN for one step, as UFOGen [ufogen]."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from panflow.generative import paths
from panflow.generative.noise import Draw
from panflow.generative.paths import arrive
from panflow.objectives._flow import Step
from panflow.objectives._game import Game, Options, Rules
from panflow.objectives._noise import normal
from panflow.types import Batch

RULES = Rules(
    network=lambda fake: softplus(-fake).mean(),
    critic=lambda fake, real: softplus(fake).mean() + softplus(-real).mean(),
)


class Objective(nn.Module):
    """OTFM's two players with softplus and no cost; in units of the answer, z1 = z_t + t s where the line ends:

        network     |s - x1|^2_n + w softplus(-v(z1, t))        (the first is the reconstruction of [ufogen])
        critic      softplus(v(z1, t)) + softplus(-v(x1, t)) + r1 / 2 |grad v(x1, t)|^2, z1 held fixed

    What the network gains from the critic is bounded: -v has slope 1 in OTFM, at most 1 here. [ufogen] compares
    noised images: where there is a bridge_sigma, z1 and x1 go back along the bridge to the time t - back, each with
    noise of its own. Without one they are compared as they are. Other options as in otfm.
    """

    def __init__(
        self,
        w: float = 0.01,
        back: float = 0.5,
        r1: float = 0.01,
        r1_every: int = 4,
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
        shared = Options.among(locals())
        super().__init__()
        self.back, self.game = back, Game(shared)

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
        fake, when = self._back(arrive(draw.z, draw.t, draw.s), draw, rng)
        real, _ = self._back(draw.x1, draw, rng)
        sight = self.game.sight(batch, draw.energy)
        yield from self.game.turn(players["critic"], sight, (fake, real), when, draw.loss, RULES, progress)

    def predict(self, network: nn.Module, batch: Batch, noise: Draw | None = None) -> Tensor:
        return self.game.predict(network, batch)

    def _back(self, end: Tensor, draw: Step, rng: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """What the critic sees of the end of a path, and the time that it is told."""
        sigma = self.game.flow.bridge_sigma
        if not sigma:
            return end, draw.t
        when = (draw.t - self.back).clamp_min(paths.EARLIEST)
        return paths.bridge(end, when, normal(end, rng), sigma * draw.energy.sqrt())[0], when
