"""Reflow: a flow from noise is learned, then its own ends are learned from its own starts, in one step [reflow]."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from panflow.generative.noise import Draw, Noise
from panflow.objectives._common import Alone, ask, mean, reconstruction, target, valid
from panflow.objectives._noise import follow, from_noise, frozen, mixed, needs_flow, normal, uniform
from panflow.types import Batch


class Objective(Alone):
    """With x1 = target / scale and the line x_t = t noise + (1 - t) x1, in two phases of one run:

    1. progress < teach: flow matching, mean (answer / scale - x1)^2 at t ~ U(0, 1). The network answers the clean
       residual, that is the velocity (x_t - x1) / t; the teacher is its running average.
    2. then distillation: mean (answer / scale - x1')^2 at t = 1, where the state is noise and x1' is where the
       teacher ends from that noise after `steps` Euler steps. The pairs are the step's own, so they need no store
       and a resumed run sees the same ones.

    teach = 0: the network that the run starts from (`run.start`) is the teacher; teach = 1: flow matching alone, to
    be sampled in `predict_steps` steps. The published form predicts velocities, which at t = 1 is the same loss; at
    other times ours leaves out a weight of 1 / t^2, and the network need not learn to subtract noise from itself.
    scale: units of the answer that a standard deviation of the noise stands for; ema: decay of the teacher's average.
    """

    def __init__(
        self, teach: float = 0.5, steps: int = 100, scale: float = 1.0, ema: float = 0.99, predict_steps: int = 1
    ):
        super().__init__()
        self.teach, self.steps, self.scale, self.ema, self.predict_steps = teach, steps, scale, ema, predict_steps

    @property
    def evaluations(self) -> int:
        """How often `predict` asks the network."""
        return self.predict_steps

    def players(self, network: nn.Module, bands: int | None = None) -> dict[str, nn.Module]:
        """The teacher is a player so that it is kept with the others; no loss is ever yielded for it."""
        needs_flow(network)
        return {"net": network, "teacher": frozen(network)}

    def losses(
        self, players: dict[str, nn.Module], batch: Batch, rng: torch.Generator | None = None, *, progress: float = 1.0
    ) -> Iterator[tuple[str, Tensor]]:
        network, teacher = players["net"], players["teacher"].eval()
        truth, noise, mask = target(batch) / self.scale, normal(batch.ms_up, rng), valid(batch)
        taught = progress < self.teach
        if taught:
            wanted, t = truth, uniform(len(truth), rng).to(truth)
        else:
            with torch.no_grad():
                wanted = from_noise(teacher, batch, noise, self.scale, self.steps)
            t = torch.ones(len(truth), device=truth.device)
        answer = ask(network, batch, mixed(wanted, noise, t), t) / self.scale
        loss = mean((answer - wanted) ** 2, mask)
        self._log.start(loss=loss, **reconstruction(answer, truth, mask, t == 1))
        yield "net", loss
        if taught:
            follow(teacher, network, self.ema)

    def predict(self, network: nn.Module, batch: Batch, noise: Draw | None = None) -> Tensor:
        start = (noise or Noise())(batch.ms_up, 0)
        return self.scale * from_noise(network, batch, start, self.scale, self.predict_steps)
