"""Small pairs of random counts."""

import torch
from torch import Tensor

from panflow import sensors
from panflow.types import Pair


def make(ms: Tensor, pan: Tensor, sensor: str = "ikonos", **rest) -> Pair:
    """A pair with ratio 4 of MS [B, C, h, w] and PAN [B, 1, H, W]."""
    found = sensors.fit_bands(sensors.load(sensor), ms.shape[1])
    return Pair(pan, ms, (4.0, 4.0), ((1.5, 1.5),) * ms.shape[1], found, **rest)


def counts(seed: int, batch: int = 1, size: int = 16, step: int = 1, sensor: str = "ikonos") -> Pair:
    """Whole counts of a sensor of four bands, each brighter than the one before; `step` makes ties."""
    rng = torch.Generator().manual_seed(seed)
    level = 200.0 * torch.arange(1, 5)[:, None, None]
    ms = level + 60 * torch.randn(batch, 4, size, size, generator=rng)
    pan = 500 + 60 * torch.randn(batch, 1, 4 * size, 4 * size, generator=rng)
    ms, pan = ((x.clamp(0, 2047) / step).round() * step for x in (ms, pan))
    return make(ms, pan, sensor)
