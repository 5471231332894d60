"""What the denoising U-Nets DDIF and PanDiff share: their stages, time code, residual block, self-attention [sr3]."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def norm(channels: int) -> nn.GroupNorm:
    """One group: mean and variance over all channels and pixels of an image."""
    return nn.GroupNorm(1, channels)


Make = Callable[[int, int, bool], nn.Module]  # a block of so many channels in and out, that attends or not
Stages = tuple[nn.ModuleList, nn.ModuleList, nn.ModuleList]


def stages(
    inputs: int, width: int, multipliers: tuple[int, ...], blocks: int, down: Make, middle: Make, up: Make
) -> Stages:
    """Encoder, middle and decoder with `multipliers` times `width` channels at 1, 1/2, 1/4 ... of the size.

    What every layer of the encoder gives is kept and joined to what the blocks of the decoder, `blocks` + 1 at every
    size, are given, the last first. Blocks at the smallest size attend, in the middle the first of two.
    """
    encoder: list[nn.Module] = [nn.Conv2d(inputs, width, 3, padding=1)]
    decoder: list[nn.Module] = []
    channels, skips, last = width, [width], len(multipliers) - 1
    for level, multiplier in enumerate(multipliers):
        for _ in range(blocks):
            encoder.append(down(channels, width * multiplier, level == last))
            channels = width * multiplier
            skips.append(channels)
        if level < last:
            encoder.append(nn.Conv2d(channels, channels, 3, stride=2, padding=1))
            skips.append(channels)
    centre = [middle(channels, channels, first) for first in (True, False)]
    for level, multiplier in reversed(list(enumerate(multipliers))):
        for _ in range(blocks + 1):
            decoder.append(up(channels + skips.pop(), width * multiplier, level == last))
            channels = width * multiplier
        if level:
            larger = nn.Upsample(scale_factor=2)
            decoder.append(nn.Sequential(larger, nn.Conv2d(channels, channels, 3, padding=1)))
    return nn.ModuleList(encoder), nn.ModuleList(centre), nn.ModuleList(decoder)


def end(channels: int, bands: int) -> nn.Sequential:
    return nn.Sequential(norm(channels), nn.SiLU(), nn.Conv2d(channels, bands, 3, padding=1))


class TimeCode(nn.Module):
    """Steps t [B] (whole numbers of the training schedule) to [B, width]: sines and cosines, then an MLP."""

    rates: Tensor

    def __init__(self, width: int):
        super().__init__()
        half = width // 2
        rates = torch.exp(-math.log(1e4) * torch.arange(half) / half)
        self.register_buffer("rates", rates, persistent=False)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.SiLU(), nn.Linear(4 * width, width))

    def forward(self, t: Tensor) -> Tensor:
        angle = t[:, None] * self.rates
        return self.mlp(torch.cat([angle.sin(), angle.cos()], 1))


class Residual(nn.Module):
    """skip(x) + conv(dropout(SiLU(GN(h)))), h = conv(SiLU(GN(x))) + linear(time); 3x3 convolutions."""

    def __init__(self, inputs: int, outputs: int, time: int, dropout: float):
        super().__init__()
        self.norm1, self.conv1 = norm(inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.time = nn.Linear(time, outputs)
        self.norm2, self.conv2 = norm(outputs), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.dropout = nn.Dropout(dropout)
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x))) + self.time(time)[:, :, None, None]
        return self.skip(x) + self.conv2(self.dropout(F.silu(self.norm2(h))))


class SelfAttention(nn.Module):
    """x + attention over all pixels; logits are divided by the root of all channels, not of a head's."""

    def __init__(self, channels: int, heads: int = 8):
        super().__init__()
        self.heads = heads
        self.norm = norm(channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        qkv = self.qkv(self.norm(x)).flatten(2).unflatten(1, (self.heads, -1))
        q, k, v = qkv.transpose(2, 3).chunk(3, -1)
        mixed = F.scaled_dot_product_attention(q, k, v, scale=x.shape[1] ** -0.5)
        return x + self.out(mixed.transpose(2, 3).reshape(x.shape))
