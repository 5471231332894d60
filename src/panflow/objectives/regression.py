"""Plain regression: the network answers at once, and is told how far it was off."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from panflow.objectives._common import Alone, ask, mean, predict, reconstruction, start, target, valid
from panflow.registry import closest
from panflow.types import Batch

NORMS = ("l1", "l2")


class Objective(Alone):
    """mean |answer - target| (norm "l1") or its square ("l2"), over valid pixels, in units of the answer.

    A network that takes a state and a time gets zero and 1. Serves every network, whatever it predicts.
    """

    def __init__(self, norm: str = "l1"):
        super().__init__()
        self.norm = closest("norm", norm, NORMS)

    def losses(
        self, players: dict[str, nn.Module], batch: Batch, rng: Any = None, *, progress: float = 1.0
    ) -> Iterator[tuple[str, Tensor]]:
        wanted, mask = target(batch), valid(batch)
        z, t = start(batch)
        answer = ask(players["net"], batch, z, t)
        error = (answer - wanted).abs() if self.norm == "l1" else (answer - wanted) ** 2
        loss = mean(error, mask)
        self._log.start(loss=loss, **reconstruction(answer, wanted, mask, torch.ones_like(t)))
        yield "net", loss

    def predict(self, network: nn.Module, batch: Batch, noise: Any = None) -> Tensor:
        return predict(network, batch)
