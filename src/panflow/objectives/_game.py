"""The game against a critic that OTFM, FM+NOT and FM+GAN play: its options, its players, its turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from panflow.errors import InputError
from panflow.generative.noise import Draw
from panflow.networks._critic import Critic
from panflow.objectives._common import Base, bare, predict
from panflow.objectives._flow import Flow, FlowOptions, Step
from panflow.registry import closest
from panflow.types import Batch


@dataclass(frozen=True)
class GameOptions(FlowOptions):
    """The options of every game, beside those of its flow.

    w: the dial between the mean of all truths (0: flow matching, no critic) and plausible texture, turned up over
    `ramp` (a share of the training) from `begin` on; r1: gradient penalty, every `r1_every` steps; critic: "folded"
    scores band by band, for any number of bands, "joint" takes them as channels; critic_width; critic_norm: "group" or
    "batch"; condition_critic: it sees the residual beside ms_up and pan, not the image.
    """

    w: float = 0.005
    ramp: float = 0.1
    begin: float = 0.0
    r1: float = 0.01
    r1_every: int = 4
    critic: str = "folded"
    critic_norm: str = "group"
    critic_width: int = 32
    condition_critic: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        closest("critic", self.critic, ("folded", "joint"))
        closest("critic_norm", self.critic_norm, ("group", "batch"))


@dataclass(frozen=True)
class Rules:
    """What the scores [B] are worth. network: of the fakes', added to its loss w times; critic: of the fakes' and the
    truths', its whole loss but for R1. Both answer with a mean over members."""

    network: Callable[[Tensor], Tensor]
    critic: Callable[[Tensor, Tensor], Tensor]


class Game(Base):
    """A network that learns the flow of `Flow`, and a critic; both are stepped in every turn."""

    options: GameOptions
    step: Tensor

    def __init__(self, options: GameOptions):
        super().__init__(options)
        self.folded = options.critic == "folded"
        self.flow = Flow(options)
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    @property
    def evaluations(self) -> int:
        """How often `predict` asks the network."""
        return self.options.steps

    def players(self, network: nn.Module, bands: int | None = None) -> dict[str, nn.Module]:
        o = self.options
        self.flow.check(network)
        if o.w == 0:
            return {"net": network}
        if self.folded:
            images, conditions = 2, 2  # a band and the mean of all; its ms_up, PAN
        elif bands is not None:
            images, conditions = bands, bands + 1
        else:
            raise InputError('a joint critic wants to know the number of bands: set critic = "folded" for any number')
        channels = images + conditions if o.condition_critic else images
        return {"net": network, "critic": Critic(channels, o.critic_width, o.critic_norm, self.folded)}

    def draw(self, network: nn.Module, batch: Batch, rng: torch.Generator | None) -> Step:
        """A step of the flow, which begins the turn."""
        self.step += 1
        return self.flow.step(network, batch, rng, self._log)

    def begun(self, progress: float) -> bool:
        """Whether there is a critic to play against already."""
        return self.options.w > 0 and progress >= self.options.begin

    def turn(
        self,
        critic: nn.Module,
        view: CriticView,
        ends: tuple[Tensor, Tensor],
        t: Tensor,
        loss: Tensor,
        rules: Rules,
        progress: float,
    ) -> Iterator[tuple[str, Tensor]]:
        """The network's loss, then the critic's. ends: fake and truth [B, C, H, W], t [B]: the time at which the critic
        sees them; loss: the network's without the game.

        The critic pays r1 / 2 |grad v|^2 at the truth, the sum over pixels [mescheder2018]: every `r1_every` turns,
        so many times.
        """
        o = self.options
        fake, real = ends
        w = o.w * (min(1.0, (progress - o.begin) / o.ramp) if o.ramp else 1.0)
        yield "net", loss + w * rules.network(_frozen(critic, view(fake), t))

        truth = view.standard(real).requires_grad_()
        v_fake = critic(view(fake.detach()), t)
        v_real = critic(view.join(truth), t)
        loss = rules.critic(v_fake, v_real)
        self._log.add(w=w, v_real=v_real.mean(), v_fake=v_fake.mean(), critic=loss)
        if o.r1 and int(self.step) % o.r1_every == 0:
            (slope,) = torch.autograd.grad(v_real.sum(), truth, create_graph=True)
            penalty = (slope**2).sum() / len(truth)
            self._log.add(r1=penalty)
            loss = loss + 0.5 * o.r1 * o.r1_every * penalty
        yield "critic", loss

    def view(self, batch: Batch, energy: Tensor) -> CriticView:
        return CriticView(batch, energy, self.folded, self.options.condition_critic)

    def predict(self, network: nn.Module, batch: Batch, noise: Draw | None = None, steps: int | None = None) -> Tensor:
        return predict(network, batch, steps or self.options.steps)


def _frozen(critic: nn.Module, images: Tensor, t: Tensor) -> Tensor:
    """The critic's scores, through which only the images get a gradient."""
    critic = bare(critic)
    critic.requires_grad_(False)
    score = critic(images, t)
    critic.requires_grad_(True)
    return score


class CriticView:
    """The critic's input for a residual z [B, C, H, W]: [B, channels, H, W], or [B, C, channels, H, W] folded.

    With the condition it is z / sigma beside ms_up and pan as the network sees them; without, the image itself, each
    band with the mean and standard deviation of ms_up removed.
    """

    def __init__(self, batch: Batch, energy: Tensor, folded: bool, condition: bool):
        self.folded = folded
        self.condition: list[Tensor] = []
        if condition:
            if missing := {"ms_up", "pan"} - set(batch.inputs):
                raise InputError(
                    f"the critic takes {' and '.join(sorted(missing))}, for which the network does not ask: "
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
