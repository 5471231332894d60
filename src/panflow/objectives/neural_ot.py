"""FM+NOT: flow matching with the critic of neural optimal transport, whose marginals are exact [neural_ot]."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from panflow.generative.noise import Draw
from panflow.objectives import otfm
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
        super().__init__()
        self.game = otfm.Objective(
            w=w,
            tau=tau,
            lambda_spec=0.0,
            lambda_spat=0.0,
            f="identity",
            r1=r1,
            r1_every=1,  # at every one of the critic's rare steps
            t_law=t_law,
            p1=p1,
            bridge_sigma=bridge_sigma,
            sigma=sigma,
            ramp=ramp,
            begin=begin,
            critic=critic,
            critic_norm=critic_norm,
            critic_width=critic_width,
            condition_critic=condition_critic,
            steps=steps,
        )
        self.t_steps_per_v = t_steps_per_v

    @property
    def log(self) -> dict[str, float]:
        return self.game.log

    @property
    def evaluations(self) -> int:
        """How often `predict` asks the network."""
        return self.game.steps

    def players(self, network: nn.Module, bands: int | None = None) -> dict[str, nn.Module]:
        return self.game.players(network, bands)

    def losses(
        self, players: dict[str, nn.Module], batch: Batch, rng: torch.Generator | None = None, *, progress: float = 1.0
    ) -> Iterator[tuple[str, Tensor]]:
        for player, loss in self.game.losses(players, batch, rng, progress=progress):
            yield player, loss
            if player == "net" and int(self.game.step) % self.t_steps_per_v:
                return  # the critic's loss is not even computed

    def predict(self, network: nn.Module, batch: Batch, noise: Draw | None = None) -> Tensor:
        return self.game.predict(network, batch, noise)
