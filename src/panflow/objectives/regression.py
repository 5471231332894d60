"""Plain regression: the network answers at once, and its loss is how far that is from the truth."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from panflow.objectives._common import Base, Settings, ask, mean, predict, reconstruction, start, target, valid
from panflow.registry import closest
from panflow.types import Batch

NORMS = ("l1", "l2")


@dataclass(frozen=True)
class Options(Settings):
    """See `Objective`."""

    norm: str = "l1"

    def __post_init__(self) -> None:
        closest("norm", self.norm, NORMS)


class Objective(Base):
    """mean |answer - target| (norm "l1") or its square ("l2"), over valid pixels, in units of the answer.

    A network that takes a state and a time gets zero and 1. Serves every network, whatever it predicts.
    """

    options: Options

    def losses(
        self, players: dict[str, nn.Module], batch: Batch, rng: Any = None, *, progress: float = 1.0
    ) -> Iterator[tuple[str, Tensor]]:
        wanted, mask = target(batch), valid(batch)
        z, t = start(batch)
        answer = ask(players["net"], batch, z, t)
        error = (answer - wanted).abs() if self.options.norm == "l1" else (answer - wanted) ** 2
        loss = mean(error, mask)
        self._log.start(loss=loss, **reconstruction(answer, wanted, mask, torch.ones_like(t)))
        yield "net", loss

    def predict(self, network: nn.Module, batch: Batch, noise: Any = None) -> Tensor:
        return predict(network, batch)
