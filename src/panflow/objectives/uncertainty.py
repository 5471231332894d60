"""UAPN's loss: regression of the image and of its estimates by the way, weighed by how unsure they are [uapn]."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from panflow.objectives._common import (
    NOTHING,
    Base,
    Settings,
    bare,
    mean,
    predict,
    reconstruction,
    start,
    target,
    valid,
)
from panflow.types import Batch


@dataclass(frozen=True)
class Options(Settings):
    """The weights of the two sums; see `Objective`."""

    estimates: float = 0.1
    uncertainty: float = 0.01


class Objective(Base):
    """With stages i = 1, 2 that estimate the image as m_i with aleatoric and epistemic uncertainty A_i, E_i, y the
    image, x the answer with ms_up, in units of the answer and |.| mean absolute values:

        |x - y| + sum_i [ 0.1 |m_i - y| + 0.01 mean(exp(-A_i) (m_i - y)^2 / 2 + A_i / 2) ]
                + 0.01 [ |(A_1 + E_1) / 2 (m_2 - y)| + |(A_2 + E_2) / 2 (x - y)| ]

    Networks without stages learn by the first term alone. The estimates are compared in units of the
    answer whatever the transform, which is that of the images for `scale` alone, as in UniPAN's code.
    """

    options: Options

    def losses(
        self, players: dict[str, nn.Module], batch: Batch, rng: Any = None, *, progress: float = 1.0
    ) -> Iterator[tuple[str, Tensor]]:
        wanted, mask = target(batch), valid(batch)
        network = bare(players["net"])
        image, low = wanted + batch.ms_up / batch.unit, batch.ms_up / batch.unit
        state = start(batch) if network.denoiser else ()
        answer, stages = network.staged(*state, **(NOTHING | batch.inputs))
        answer = answer.to(wanted.dtype)  # under autocast it may come in half precision
        if network.predicts == "image":
            image, low = wanted, torch.zeros_like(low)
        loss = l1 = mean((answer - wanted).abs(), mask)
        following = [stage.mean for stage in stages[1:]] + [answer + low]
        for stage, after in zip(stages, following):
            error, doubt = stage.mean - image, (stage.aleatoric + stage.epistemic) / 2
            likelihood = (-stage.aleatoric).exp() * error**2 / 2 + stage.aleatoric / 2
            weighed = doubt * (after - image).abs()
            loss = loss + self.options.estimates * mean(error.abs(), mask)
            loss = loss + self.options.uncertainty * mean(likelihood + weighed, mask)
        which = torch.ones(len(wanted), device=wanted.device)
        self._log.start(loss=loss, l1=l1, **reconstruction(answer, wanted, mask, which))
        yield "net", loss

    def predict(self, network: nn.Module, batch: Batch, noise: Any = None) -> Tensor:
        return predict(network, batch)
