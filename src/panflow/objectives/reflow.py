"""Reflow: a flow from noise is learned, then the ends of its paths from their starts, in one step [reflow]."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from panflow.generative.noise import Draw, Noise
from panflow.objectives._common import Base, Settings, ask, mean, reconstruction, target, valid
from panflow.objectives._noise import follow, from_noise, frozen, mixed, needs_flow, normal, uniform
from panflow.settings import Steps
from panflow.types import Batch


@dataclass(frozen=True)
class Options(Settings):
    """See `Objective`."""

    teach: float = 0.5
    steps: Steps = 100
    scale: float = 1.0
    ema: float = 0.99
    predict_steps: Steps = 1


class Objective(Base):
    """With x1 = target / scale and the line x_t = t noise + (1 - t) x1, in two phases of one run:

    1. progress < teach: flow matching, mean (answer / scale - x1)^2 at t ~ U(0, 1). The network answers the clean
       residual, that is the velocity (x_t - x1) / t; the teacher is its running average.
    2. then distillation: mean (answer / scale - x1')^2 at t = 1, where the state is noise and x1' is where the
       teacher ends from that noise after `steps` Euler steps. The pairs are drawn anew in every step, so they need no
       store and a resumed run sees the same ones.

    teach = 0: the network that the run starts from (`run.start`) is the teacher; teach = 1: flow matching alone, to
    be sampled in `predict_steps` steps. The published form predicts velocities, which at t = 1 is the same loss; at
    other times ours leaves out a weight of 1 / t^2, and the network need not learn to subtract noise from itself.
    scale: units of the answer that a standard deviation of the noise stands for; ema: decay of the teacher's average.
    """

    options: Options

    @property
    def evaluations(self) -> int:
        """How often `predict` asks the network."""
        return self.options.predict_steps

    def players(self, network: nn.Module, bands: int | None = None) -> dict[str, nn.Module]:
        """The teacher is a player so that it is kept with the others; no loss is ever yielded for it."""
        needs_flow(network)
        return {"net": network, "teacher": frozen(network)}

    def losses(
        self, players: dict[str, nn.Module], batch: Batch, rng: torch.Generator | None = None, *, progress: float = 1.0
    ) -> Iterator[tuple[str, Tensor]]:
        o = self.options
        network, teacher = players["net"], players["teacher"].eval()
        truth = target(batch) / o.scale
        noise = normal(batch.ms_up, rng)
        teaching = progress < o.teach
        if teaching:
            x1 = truth
            t = uniform(len(truth), rng).to(truth)
        else:
            with torch.no_grad():
                x1 = from_noise(teacher, batch, noise, o.scale, o.steps)
            t = torch.ones(len(truth), device=truth.device)
        answer = ask(network, batch, mixed(x1, noise, t), t) / o.scale
        mask = valid(batch)
        loss = mean((answer - x1) ** 2, mask)
        self._log.start(loss=loss, **reconstruction(answer, truth, mask, t == 1))
        yield "net", loss
        if teaching:
            follow(teacher, network, o.ema)

    def predict(self, network: nn.Module, batch: Batch, noise: Draw | None = None) -> Tensor:
        o = self.options
        start = (noise or Noise())(batch.ms_up, 0)
        return o.scale * from_noise(network, batch, start, o.scale, o.predict_steps)
