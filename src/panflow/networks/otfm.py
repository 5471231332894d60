"""OTFM's network: a U-Net of neighbourhood attention, every block modulated pixel by pixel by MS, PAN and time."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, gelu, layer_norm, pixel_shuffle, pixel_unshuffle, silu

from panflow import types
from panflow.errors import InputError
from panflow.networks._attention import FORMS
from panflow.registry import closest

RADIUS = 3  # of a mixer, pixels at its size


@dataclass(frozen=True)
class Size:
    """widths at full, half and smaller sizes; condition: channels of the embedded condition; head: width of an
    attention head; mixers ("attention" or "conv") at full, half and smaller sizes."""

    widths: tuple[int, int, int]
    condition: int
    head: int
    mixers: tuple[str, str, str] = ("conv", "attention", "attention")


ATTENTION = ("attention",) * 3
SIZES = {
    "tiny": Size((24, 32, 40), 20, 8),
    "small": Size((32, 48, 64), 32, 16),
    "base": Size((64, 96, 128), 64, 16, ATTENTION),
    "large": Size((96, 192, 256), 96, 32, ATTENTION),
}


def over_channels(x: Tensor) -> Tensor:
    """Layer normalisation over the channels of [B, C, H, W], without weights."""
    return layer_norm(x.permute(0, 2, 3, 1), (x.shape[1],)).permute(0, 3, 1, 2)


def waves(t: Tensor, count: int = 32) -> Tensor:
    """Cosines and sines [B, count] of 1000 t at frequencies from 1 down to 1 / 10000."""
    frequency = torch.exp(-math.log(10_000) * torch.arange(count // 2, device=t.device) / (count // 2))
    phase = 1000 * t.float()[:, None] * frequency
    return torch.cat([phase.cos(), phase.sin()], dim=1)


def zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class NeighbourhoodAttention(nn.Module):
    """proj(attention(q, k, v)) over 7 x 7 pixels."""

    def __init__(self, width: int, head: int, form: str):
        super().__init__()
        self.heads, self.form = width // head, form
        self.qkv = nn.Conv2d(width, 3 * width, 1)
        self.proj = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, dim=1)
        return self.proj(FORMS[self.form](q, k, v, self.heads, 2 * RADIUS + 1))


class GatedConv(nn.Module):
    """out(depthwise 7 x 7 (value) * SiLU(gate)): the span of the attention at a twentieth of its cost."""

    def __init__(self, width: int):
        super().__init__()
        self.enter = nn.Conv2d(width, 2 * width, 1)
        self.spread = nn.Conv2d(width, width, 2 * RADIUS + 1, padding=RADIUS, groups=width)
        self.out = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.enter(x).chunk(2, dim=1)
        return self.out(self.spread(value) * silu(gate))


class GatedMLP(nn.Module):
    """out(GELU(gate) * value), the three maps of the paper's feed-forward part."""

    def __init__(self, width: int):
        super().__init__()
        self.enter = nn.Conv2d(width, 4 * width, 1)
        self.out = nn.Conv2d(2 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.enter(x).chunk(2, dim=1)
        return self.out(gelu(gate) * value)


class Block(nn.Module):
    """x <- x + gamma * op((1 + alpha) * LN(x) + beta) for a mixer and a gated MLP, alpha, beta, gamma [B, d, H, W] maps
    of the condition that start at zero. paper_order: x + gamma * ((1 + alpha) * op(LN(x)) + beta), as Eq. 16."""

    def __init__(self, width: int, condition: int, mixer: nn.Module, paper_order: bool):
        super().__init__()
        self.paper_order = paper_order
        self.modulation = zeroed(nn.Conv2d(condition, 6 * width, 1))
        self.mixer, self.mlp = mixer, GatedMLP(width)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        maps = self.modulation(silu(condition)).chunk(6, dim=1)
        for op, alpha, beta, gamma in ((self.mixer, *maps[:3]), (self.mlp, *maps[3:])):
            if self.paper_order:
                x = x + gamma * ((1 + alpha) * op(over_channels(x)) + beta)
            else:
                x = x + gamma * op((1 + alpha) * over_channels(x) + beta)
        return x


class Stage(nn.Module):
    """Two blocks at one size."""

    def __init__(self, blocks: list[Block]):
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x, condition)
        return x


class Down(nn.Module):
    """Half the size: pixel-unshuffle, then 1 x 1."""

    def __init__(self, width: int, out: int):
        super().__init__()
        self.map = nn.Conv2d(4 * width, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.map(pixel_unshuffle(x, 2))


class Up(nn.Module):
    """Twice the size: 1 x 1, then pixel-shuffle; joined with what the encoder had there."""

    def __init__(self, width: int, out: int):
        super().__init__()
        self.map = nn.Conv2d(width, 4 * out, 1)
        self.join = nn.Conv2d(2 * out, out, 1)

    def forward(self, x: Tensor, kept: Tensor) -> Tensor:
        return self.join(torch.cat([pixel_shuffle(self.map(x), 2), kept], dim=1))


class Network(types.Network, nn.Module):
    """The velocity of OTFM's flow [otfm], in units of the answer: x [B, C, H, W] is the state (zero at t = 1), t [B].

    Stem 3 x 3 of [x, ms_up, pan] -> three encoder stages at full, half and quarter size -> three decoder stages at
    1/8, 1/4, 1/2 -> head at full size, GELU between two 3 x 3, the last one zero at the start: an untrained network
    gives back ms_up. The condition is LN(1x1(GELU(3x3([ms_up, pan])))), pooled to each stage, plus time. Embedded
    before it is normalised: LN over [ms_up, pan] itself (Eq. 16) erases brightness. The paper leaves widths open;
    size: "tiny" 0.26 M parameters at 8 bands, "small" 0.60, "base" 2.35, "large" 8.49.

    mixers, widths, condition, head override the size's. attention: "tiles" (fast) or "shifts" (little memory).
    Any ratio, whose interpolation belongs to the caller. Sides must be multiples of 8.
    """

    inputs = ("ms_up", "pan")
    multiple = 8
    denoiser = True
    predicts = "residual"

    def __init__(
        self,
        bands: int,
        ratio: float = 4,
        *,
        size: str = "tiny",
        widths: tuple[int, int, int] | None = None,
        condition: int | None = None,
        head: int | None = None,
        mixers: tuple[str, str, str] | None = None,
        attention: str = "tiles",
        paper_order: bool = False,
    ):
        super().__init__()
        shape = SIZES[closest("size", size, tuple(SIZES))]
        asked: dict[str, Any] = {"widths": widths, "condition": condition, "head": head, "mixers": mixers}
        shape = replace(shape, **{key: value for key, value in asked.items() if value is not None})
        form = closest("attention", attention, tuple(FORMS))
        full, half, low = shape.widths
        c = shape.condition

        def stage(level: int) -> Stage:
            """level: 0 at full size, 1 at half, 2 below."""
            width, kind = shape.widths[level], closest("mixer", shape.mixers[level], ("attention", "conv"))
            if width % shape.head:
                raise InputError(f"a width of {width} does not divide into attention heads of {shape.head}")

            def mixer() -> nn.Module:
                return GatedConv(width) if kind == "conv" else NeighbourhoodAttention(width, shape.head, form)

            return Stage([Block(width, c, mixer(), paper_order) for _ in range(2)])

        self.halo = halo()
        self.embed = nn.Sequential(nn.Conv2d(bands + 1, c, 3, padding=1), nn.GELU(), nn.Conv2d(c, c, 1))
        self.scale = nn.Parameter(torch.ones(c, 1, 1))
        self.shift = nn.Parameter(torch.zeros(c, 1, 1))
        self.time = nn.Sequential(nn.Linear(32, c), nn.SiLU(), nn.Linear(c, c))
        self.stem = nn.Conv2d(2 * bands + 1, full, 3, padding=1)
        self.encoder = nn.ModuleList([stage(0), stage(1), stage(2)])
        self.downs = nn.ModuleList([Down(full, half), Down(half, low), Down(low, low)])
        self.decoder = nn.ModuleList([stage(2), stage(2), stage(1)])
        self.ups = nn.ModuleList([Up(low, low), Up(low, half), Up(half, full)])
        self.head = nn.Sequential(
            nn.Conv2d(full, full, 3, padding=1), nn.GELU(), zeroed(nn.Conv2d(full, bands, 3, padding=1))
        )

    def forward(self, x: Tensor, t: Tensor, ms: Tensor | None, ms_up: Tensor, pan: Tensor) -> Tensor:
        height, width = pan.shape[-2:]
        if height % self.multiple or width % self.multiple:
            raise InputError(f"otfm takes sides that are multiples of 8, not {height} x {width}: pad the image")
        embedded = over_channels(self.embed(torch.cat([ms_up, pan], dim=1))) * self.scale + self.shift
        time = self.time(waves(t).to(embedded.dtype))[:, :, None, None]
        conditions = [avg_pool2d(embedded, 2**level) + time for level in range(4)]
        h = self.stem(torch.cat([x, ms_up, pan], dim=1))
        kept = []
        for stage, down, condition in zip(self.encoder, self.downs, conditions):
            h = stage(h, condition)
            kept.append(h)
            h = down(h)
        for stage, up, condition in zip(self.decoder, self.ups, reversed(conditions)):
            h = up(stage(h, condition), kept.pop())
        return self.head(h)


def halo() -> int:
    """PAN pixels that an answer can depend on, over its places in a cell of 8 x 8: two blocks a stage, 3 x 3 ends."""
    stage = 2 * RADIUS
    halos = []
    for place in range(8):
        low, high = place - 2, place + 2
        for _ in range(3):
            low, high = low // 2 - stage, high // 2 + stage
        for _ in range(3):
            low, high = 2 * low - stage, 2 * high + 1 + stage
        halos.append(max(place - low, high - place) + 1)
    return max(halos)
