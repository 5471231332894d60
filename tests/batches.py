"""Batches by Wald's protocol of smooth random places, and small networks that learn from them."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from panflow import sensors, types
from panflow.ops.degrade import wald
from panflow.ops.resample import ms_up, sense
from panflow.types import Batch, Pair


def place(seed: int, batch: int = 2, bands: int = 4, size: int = 32) -> Pair:
    """A reduced pair of PAN size `size`, float32: edges and textures that PAN and bands share, in counts of 11 bits."""
    rng = np.random.default_rng(seed)
    full = 4 * size
    spectrum = np.hypot(*np.meshgrid(np.fft.fftfreq(full), np.fft.fftfreq(full))) + 0.01

    def field() -> np.ndarray:
        waves = np.fft.fft2(rng.standard_normal((batch, 1, full, full))) / spectrum**1.2
        image = np.fft.ifft2(waves).real
        return np.sign(image) * 0.5 + image / image.std((2, 3), keepdims=True)

    shared = field()
    scene = np.concatenate([500 + 100 * b + 90 * shared + 25 * field() for b in range(bands)], axis=1)
    pan = torch.tensor(scene.mean(1, keepdims=True), dtype=torch.float32)
    sensor = sensors.fit_bands(sensors.load("worldview2" if bands == 8 else "ikonos"), bands)
    phase = ((1.5, 1.5),) * bands
    seen = Pair(pan, torch.zeros(batch, bands, size, size), (4.0, 4.0), phase, sensor)
    return wald(replace(seen, ms=sense(torch.tensor(scene, dtype=torch.float32), seen)))


def batch_of(pair: Pair, unit: float = 300.0) -> Batch:
    """What a network of fixed bands sees of it: counts over a thousand."""
    up = ms_up(pair)
    named = {"ms_up": up / 1000, "pan": pair.pan / 1000}
    scale = torch.full((len(up), pair.bands, 1, 1), unit)
    return Batch(pair, named, up, scale, (pair.reference - up) / scale)


class Denoiser(types.Network, nn.Module):
    """A few convolutions of state, time and images."""

    inputs = ("ms_up", "pan")
    denoiser = True
    predicts = "residual"

    def __init__(self, bands: int = 4):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(2 * bands + 2, 16, 3, padding=1), nn.GELU(), nn.Conv2d(16, bands, 3, padding=1)
        )

    def forward(self, x: Tensor, t: Tensor, *, ms_up: Tensor, pan: Tensor, ms: Tensor | None) -> Tensor:
        time = t[:, None, None, None].expand_as(pan)
        return self.layers(torch.cat([x, time, ms_up, pan], dim=1))


class Plain(Denoiser):
    """The same without state and time."""

    denoiser = False

    def forward(self, *, ms_up: Tensor, pan: Tensor, ms: Tensor | None) -> Tensor:
        return super().forward(torch.zeros_like(ms_up), torch.ones(len(pan)), ms_up=ms_up, pan=pan, ms=ms)


class Oracle(types.Network, nn.Module):
    """Answers with the truth, whatever it is asked."""

    inputs = ()
    denoiser = True
    predicts = "residual"

    def __init__(self, truth: Tensor):
        super().__init__()
        self.truth = truth

    def forward(self, x: Tensor, t: Tensor, **inputs: Tensor) -> Tensor:
        return self.truth
