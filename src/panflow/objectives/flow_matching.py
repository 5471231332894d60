"""Flow matching from interpolated MS to the truth [lipman2023]."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from panflow.generative.noise import Draw
from panflow.objectives._common import Alone, predict
from panflow.objectives._flow import Flow
from panflow.types import Batch


class Objective(Alone):
    """The network's answer s at state z_t and time t is the velocity x1 of the line z_t = (1 - t) x1:

    loss = mean (s - x1)^2 / sigma^2, in units of the answer. The path starts where the inputs already are, so
    that x1 = z_t / (1 - t): only t = 1 has to be learned, and one step is as good as many. See `Flow` for
    t_law ("mix", "one", "uniform"), p1, bridge_sigma and sigma; steps: Euler steps of the prediction.
    """

    def __init__(
        self,
        t_law: str = "mix",
        p1: float = 0.5,
        bridge_sigma: float = 0.0,
        sigma: float | None = None,
        steps: int = 1,
    ):
        super().__init__()
        self.flow = Flow(t_law, p1, bridge_sigma, sigma)
        self.steps = steps

    @property
    def evaluations(self) -> int:
        """How often `predict` asks the network."""
        return self.steps

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
        return predict(network, batch, steps or self.steps)
