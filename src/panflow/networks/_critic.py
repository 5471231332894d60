"""Critics: how much an image looks like the truth, one number a member. The potential v(y, t) of OTFM, and others'."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from panflow.networks.otfm import waves


class Layer(nn.Module):
    """Leaky ReLU of norm(4 x 4 convolution, stride 2) + Linear(waves of t)."""

    def __init__(self, channels: int, width: int, norm: str, time: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, width, 4, stride=2, padding=1)
        # batch statistics are never kept: the critic is not used after training, and a frozen pass must leave no trace
        self.norm = nn.GroupNorm(8, width) if norm == "group" else nn.BatchNorm2d(width, track_running_stats=False)
        self.time = nn.Linear(time, width)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return leaky_relu(self.norm(self.conv(x)) + self.time(t)[:, :, None, None], 0.2)


class Critic(nn.Module):
    """Three layers of width w, 2 w, 4 w, then 3 x 3 to one map, whose mean is the score [B]; sees 38 pixels.

    x [B, channels, H, W], sides of at least 8; t [B]. folded: x is [B, C, channels, H, W], every band is scored by
    the same weights and the mean over bands is the score, so that any number of bands will do. Always in float32.
    norm: "group", or "batch" as the paper has it (members then influence each other).
    """

    def __init__(self, channels: int, width: int = 32, norm: str = "group", folded: bool = False, time: int = 32):
        super().__init__()
        widths = (channels, width, 2 * width, 4 * width)
        self.folded, self.waves = folded, time
        self.layers = nn.ModuleList(Layer(a, b, norm, time) for a, b in pairwise(widths))
        self.score = nn.Conv2d(widths[-1], 1, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            bands = x.shape[1] if self.folded else 1
            time = waves(t, self.waves).repeat_interleave(bands, 0)
            h = (x.flatten(0, 1) if self.folded else x).float()
            for layer in self.layers:
                h = layer(h, time)
            return self.score(h).mean((1, 2, 3)).unflatten(0, (-1, bands)).mean(1)
