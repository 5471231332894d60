"""Networks and batches whose losses can be written down."""

import torch
from batches import Oracle
from torch import Tensor, nn

from panflow import sensors, types
from panflow.types import Batch, Pair

RNG = torch.Generator()


def flat(batch: int, std: float = 1.0, seed: int = 1234) -> Batch:
    """One band of 8 x 8 pixels whose target is normal noise of a standard deviation: no image, only numbers."""
    x1 = std * torch.randn(batch, 1, 8, 8, generator=torch.Generator().manual_seed(seed))
    pan, ms, unit = torch.zeros_like(x1), torch.zeros(batch, 1, 2, 2), torch.ones(1, 1, 1, 1)
    sensor = sensors.fit_bands(sensors.load("generic"), 1)
    return Batch(Pair(pan, ms, (4.0, 4.0), ((1.5, 1.5),), sensor), {"ms_up": pan, "pan": pan}, pan, unit, x1)


class Gain(types.Network, nn.Module):
    """Answers with `gain` times the state; keeps what it was asked."""

    denoiser = True
    predicts = "residual"

    def __init__(self, gain: float, estimates: str | None = None):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain))
        self.asked: list[tuple[Tensor, Tensor]] = []
        if estimates:
            self.estimates = estimates

    def forward(self, x: Tensor, t: Tensor, **inputs: Tensor) -> Tensor:
        self.asked.append((x, t))
        return self.gain * x


class Counting(types.Network, nn.Module):
    """Another network, with a count of its calls."""

    predicts = "residual"

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner, self.calls, self.denoiser = inner, 0, inner.denoiser

    def forward(self, *args: Tensor, **inputs: Tensor) -> Tensor:
        self.calls += 1
        return self.inner(*args, **inputs)


def loss_of(objective, players, batch, seed: int = 0, player: str = "net", **progress: float) -> Tensor:
    """The loss of one player at a step of this seed."""
    return dict(objective.losses(players, batch, RNG.manual_seed(seed), **progress))[player]


__all__ = ["RNG", "Counting", "Gain", "Oracle", "flat", "loss_of"]
