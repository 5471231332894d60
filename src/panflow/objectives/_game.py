"""The game against a critic that OTFM, FM+NOT and FM+GAN play: its players, its turns, and what the critic sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import torch
from torch import Tensor, nn

from panflow.errors import InputError
from panflow.networks._critic import Critic
from panflow.objectives._common import Log, bare, predict
from panflow.objectives._flow import Flow, Step
from panflow.registry import closest
from panflow.types import Batch


@dataclass(frozen=True)
class Options:
    """What every game can be told; see `otfm.Objective`."""

    w: float
    ramp: float
    begin: float
    r1: float
    r1_every: int
    t_law: str
    p1: float
    bridge_sigma: float
    sigma: float | None
    critic: str
    critic_norm: str
    critic_width: int
    condition_critic: bool
    steps: int

    @classmethod
    def among(cls, given: Mapping[str, Any]) -> Self:
        """Those of an objective's arguments that every game has."""
        return cls(**{field.name: given[field.name] for field in fields(cls)})


@dataclass(frozen=True)
class Rules:
    """What the scores [B] are worth. network: of the fakes', added to its loss w times; critic: of the fakes' and the
    truths', its whole loss but for R1. Both answer with a mean over members."""

    network: Callable[[Tensor], Tensor]
    critic: Callable[[Tensor, Tensor], Tensor]


class Game(nn.Module):
    """A network that learns the flow of `Flow`, and a critic; both are stepped in every turn."""

    step: Tensor

    def __init__(self, options: Options):
        super().__init__()
        self.options = options
        self.folded = closest("critic", options.critic, ("folded", "joint")) == "folded"
        self.norm = closest("critic_norm", options.critic_norm, ("group", "batch"))
        self.flow = Flow(options.t_law, options.p1, options.bridge_sigma, options.sigma)
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self.log = Log()

    def players(self, network: nn.Module, bands: int | None = None) -> dict[str, nn.Module]:
        o = self.options
        self.flow.check(network)
        if o.w == 0:
            return {"net": network}
        if self.folded:
            judged, told = 2, 2  # a band and the mean of all; its ms_up, PAN
        elif bands is not None:
            judged, told = bands, bands + 1
        else:
            raise InputError('a joint critic wants to know the number of bands: set critic = "folded" for any number')
        channels = judged + told if o.condition_critic else judged
        return {"net": network, "critic": Critic(channels, o.critic_width, self.norm, self.folded)}

    def draw(self, network: nn.Module, batch: Batch, rng: torch.Generator | None) -> Step:
        """A step of the flow, which begins the turn."""
        self.step += 1
        return self.flow.step(network, batch, rng, self.log)

    def begun(self, progress: float) -> bool:
        """Whether there is a critic to play against already."""
        return self.options.w > 0 and progress >= self.options.begin

    def turn(
        self,
        critic: nn.Module,
        sight: Sight,
        ends: tuple[Tensor, Tensor],
        t: Tensor,
        loss: Tensor,
        rules: Rules,
        progress: float,
    ) -> Iterator[tuple[str, Tensor]]:
        """The network's loss, then the critic's. ends: fake and truth [B, C, H, W], t [B]: when the critic is told to
        see them; loss: the network's without the game.

        The critic pays r1 / 2 |grad v|^2 at the truth, the sum over pixels [mescheder2018]: every `r1_every` turns,
        so many times.
        """
        o, (fake, real) = self.options, ends
        w = o.w * (min(1.0, (progress - o.begin) / o.ramp) if o.ramp else 1.0)
        yield "net", loss + w * rules.network(_frozen(critic, sight(fake), t))

        truth = sight.standard(real).requires_grad_()
        v_fake, v_real = critic(sight(fake.detach()), t), critic(sight.join(truth), t)
        loss = rules.critic(v_fake, v_real)
        self.log.add(w=w, v_real=v_real.mean(), v_fake=v_fake.mean(), critic=loss)
        if o.r1 and int(self.step) % o.r1_every == 0:
            (slope,) = torch.autograd.grad(v_real.sum(), truth, create_graph=True)
            penalty = (slope**2).sum() / len(truth)
            self.log.add(r1=penalty)
            loss = loss + 0.5 * o.r1 * o.r1_every * penalty
        yield "critic", loss

    def sight(self, batch: Batch, energy: Tensor) -> Sight:
        return Sight(batch, energy, self.folded, self.options.condition_critic)

    def predict(self, network: nn.Module, batch: Batch, steps: int | None = None) -> Tensor:
        return predict(network, batch, steps or self.options.steps)


def _frozen(critic: nn.Module, seen: Tensor, t: Tensor) -> Tensor:
    """The critic's scores, through which only what it saw gets a gradient."""
    critic = bare(critic)
    critic.requires_grad_(False)
    score = critic(seen, t)
    critic.requires_grad_(True)
    return score


class Sight:
    """What the critic is shown of a residual z [B, C, H, W]: [B, channels, H, W], or [B, C, channels, H, W] folded.

    With the condition it is z / sigma beside ms_up and pan as the network sees them; without, the image itself, each
    band with the mean and standard deviation of ms_up removed.
    """

    def __init__(self, batch: Batch, energy: Tensor, folded: bool, condition: bool):
        self.folded, self.condition = folded, []
        if condition:
            if missing := {"ms_up", "pan"} - set(batch.inputs):
                raise InputError(
                    f"the critic is told {' and '.join(sorted(missing))}, for which the network does not ask: "
                    "set condition_critic = false"
                )
            self.condition = [batch.inputs["ms_up"], batch.inputs["pan"]]
            self.shift, self.scale = torch.zeros(()), energy.sqrt()
        else:
            middle = batch.ms_up.mean((2, 3), keepdim=True)
            std = batch.ms_up.std((2, 3), keepdim=True).clamp_min(1e-6)
            self.shift, self.scale = (batch.ms_up - middle) / std, std / batch.unit

    def standard(self, z: Tensor) -> Tensor:
        """The part that is judged, and whose gradient R1 limits."""
        return z / self.scale + self.shift.to(z)

    def join(self, judged: Tensor) -> Tensor:
        if not self.folded:
            return torch.cat([judged, *self.condition], dim=1)
        maps = [judged, judged.mean(1, keepdim=True), *self.condition]
        return torch.stack([image.expand_as(judged) for image in maps], dim=2)

    def __call__(self, z: Tensor) -> Tensor:
        return self.join(self.standard(z))
