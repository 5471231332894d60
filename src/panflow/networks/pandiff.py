"""PanDiff (re-implementation): diffusion on the difference map, PAN and MS as re-weighted conditions [pandiff]."""

import torch
from torch import Tensor, nn

from panflow import types
from panflow.networks._blocks import require
from panflow.networks._denoising import Residual, SelfAttention, TimeCode, end, stages


class Network(types.Network, nn.Module):
    """Estimate of the noise in x_t, a noisy version of the difference map x_0 = reference - ms_up [pandiff].

    Known of the paper: DDPM on the difference map, a U-Net as in SR3 [sr3], PAN and interpolated MS as
    conditions that a modal intercalibration module (MIM) weighs against each other, noise estimated under
    squared error, 1000 or 2000 steps. No code is public; what follows is ours: the form of
    `Intercalibration`, its result joined to x_t at the entrance, the sizes (those of DDIF, without its
    modulations) and, for who trains it: linear betas 1e-4 to 2e-2, T = 1000, x_0 divided by three times the
    standard deviation of the residual so that it fills [-1, 1], ancestral sampling. Its numbers are not those
    of the paper's tables.

    Images in [0, 1]; t [B] whole steps of the training schedule.
    """

    inputs = ("ms_up", "pan")
    multiple = 8
    denoiser = True
    estimates = "noise"

    def __init__(
        self,
        bands: int,
        ratio: int = 4,
        *,
        form: str = "original",
        width: int = 32,
        multipliers: tuple[int, ...] = (1, 2, 2, 4),
        blocks: int = 3,
        dropout: float = 0.2,
    ):
        super().__init__()
        require("form", form, ("original",), "this re-implementation has one form")
        self.predicts = "residual"
        self.halo = None  # image means, group norms and attention
        self.time = TimeCode(width)
        self.conditions = Intercalibration(bands)

        def block(a: int, b: int, attends: bool) -> nn.Module:
            return Block(a, b, width, dropout, attends=attends)

        built = stages(2 * bands + 1, width, multipliers, blocks, block, block, block)
        self.encoder, self.middle, self.decoder = built
        self.end = end(width * multipliers[0], bands)

    def forward(self, x: Tensor, t: Tensor, ms: Tensor, ms_up: Tensor, pan: Tensor) -> Tensor:
        time = self.time(t)
        x = torch.cat([x, self.conditions(ms_up, pan)], 1)
        skips = []
        for layer in self.encoder:
            x = layer(x, time) if isinstance(layer, Block) else layer(x)
            skips.append(x)
        for layer in self.middle:
            x = layer(x, time)
        for layer in self.decoder:
            x = layer(torch.cat([x, skips.pop()], 1), time) if isinstance(layer, Block) else layer(x)
        return self.end(x)

    KEYS = ()  # there is no public checkpoint


class Intercalibration(nn.Module):
    """(g_ms * ms_up, g_pan * pan), [B, C + 1, H, W]: a weight in (0, 1) for every band.

    g = sigmoid(1x1(ReLU(1x1(m)))), one pair of layers for each modality, both from the image means m of both.
    """

    def __init__(self, bands: int, hidden: int = 16):
        super().__init__()
        self.ms, self.pan = (
            nn.Sequential(nn.Conv2d(bands + 1, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, outputs, 1), nn.Sigmoid())
            for outputs in (bands, 1)
        )

    def forward(self, ms_up: Tensor, pan: Tensor) -> Tensor:
        means = torch.cat([ms_up, pan], 1).mean((2, 3), keepdim=True)
        return torch.cat([self.ms(means) * ms_up, self.pan(means) * pan], 1)


class Block(nn.Module):
    """A residual block, then perhaps attention."""

    def __init__(self, inputs: int, outputs: int, time: int, dropout: float, *, attends: bool):
        super().__init__()
        self.residual = Residual(inputs, outputs, time, dropout)
        self.attention = SelfAttention(outputs) if attends else nn.Identity()

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        return self.attention(self.residual(x, time))
