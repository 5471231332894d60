"""Flow matching from interpolated MS to the truth [lipman2023]."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from panflow.generative.noise import Draw
from panflow.objectives._common import Base, predict
from panflow.objectives._flow import Flow, FlowOptions
from panflow.types import Batch


@dataclass(frozen=True)
class Options(FlowOptions):
    """See `FlowOptions`."""


class Objective(Base):
    """The network's answer s at state z_t and time t is the velocity x1 of the line z_t = (1 - t) x1:

    loss = mean (s - x1)^2 / sigma^2, in units of the answer. The path starts where the inputs already are, so
    that x1 = z_t / (1 - t): only t = 1 has to be learned, and one step is as good as many.
    """

    options: Options

    def __init__(self, options: Options):
        super().__init__(options)
        self.flow = Flow(options)

    @property
    def evaluations(self) -> int:
        """How often `predict` asks the network."""
        return self.options.steps

    def players(self, network: nn.Module, bands: int | None = None) -> dict[str, nn.Module]:
        self.flow.check(network)
        return {"net": network}

    def losses(
        self,
        players: dict[str, nn.Module],
        batch: Batch,
        rng: torch.Generator | None = None,
        *,
        progress: float = 1.0,
    ) -> Iterator[tuple[str, Tensor]]:
        yield "net", self.flow.step(players["net"], batch, rng, self._log).loss

    def predict(self, network: nn.Module, batch: Batch, noise: Draw | None = None, steps: int | None = None) -> Tensor:
        return predict(network, batch, steps or self.options.steps)
