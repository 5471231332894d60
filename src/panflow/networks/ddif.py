"""DDIF (Dif-PAN): a denoising U-Net modulated by the images and by their wavelets [ddif]."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from panflow import types
from panflow.networks._blocks import require
from panflow.networks._denoising import Residual, SelfAttention, TimeCode, end, norm, stages


class Network(types.Network, nn.Module):
    """Estimate of the clean residual x_0 = reference - ms_up from its noisy version x_t [ddif].

    A U-Net of SR3's residual blocks [sr3] with `multipliers` times `width` channels at 1, 1/2, 1/4, 1/8 of
    the PAN size and self-attention at the last. Each encoder block is first scaled and shifted by
    (ms_up, pan) (`Style`), each decoder block first attends to the wavelets (`Wavelet`): the mean of ms_up
    and the three details of pan. Its second input beside x_t is an earlier estimate of x_0 (self-conditioning
    [selfcond]); without one x_t stands in, as in the released sampler.

    Images in [0, 1] (the paper divides by 2047 or 1023); t [B] whole steps of the training schedule (T =
    500). Only the released layers: the "frequency" in the paper's names is the Haar transform, no FFT.
    """

    inputs = ("ms_up", "pan")
    multiple = 8
    denoiser = True
    estimates = "clean"
    takes_estimate = True

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
        require("form", form, ("original",), "the paper has one form")
        self.predicts = "residual"
        self.halo = None  # group norms and attention see the whole image
        self.time = TimeCode(width)

        def styled(a: int, b: int, attends: bool) -> nn.Module:
            return Block(b, width, dropout, Style(a, b, bands + 1), attends=attends)

        def plain(a: int, b: int, attends: bool) -> nn.Module:
            return Block(b, width, dropout, None, attends=attends)

        def wavelet(a: int, b: int, attends: bool) -> nn.Module:
            return Block(b, width, dropout, Wavelet(a, b, bands + 3, drop=dropout), attends=attends)

        built = stages(2 * bands, width, multipliers, blocks, styled, plain, wavelet)
        self.encoder, self.middle, self.decoder = built
        self.end = end(width * multipliers[0], bands)

    def forward(
        self, x: Tensor, t: Tensor, ms: Tensor, ms_up: Tensor, pan: Tensor, estimate: Tensor | None = None
    ) -> Tensor:
        images, wavelets = torch.cat([ms_up, pan], 1), wavelet_condition(ms_up, pan)
        time = self.time(t)
        x = torch.cat([x if estimate is None else estimate, x], 1)
        skips = []
        for layer in self.encoder:
            x = layer(x, time, images) if isinstance(layer, Block) else layer(x)
            skips.append(x)
        for layer in self.middle:
            x = layer(x, time, images)
        for layer in self.decoder:
            block = isinstance(layer, Block)
            x = layer(torch.cat([x, skips.pop()], 1), time, wavelets) if block else layer(x)
        return self.end(x)

    KEYS = (
        (r"^noise_level_mlp\.1\.", "time.mlp.0."),
        (r"^noise_level_mlp\.3\.", "time.mlp.2."),
        (r"^downs\.(\d+)\.(conv\.)?", r"encoder.\1."),
        (r"^mid\.", "middle."),
        (r"^ups\.(\d+)\.conv\.", r"decoder.\1.1."),
        (r"^ups\.", "decoder."),
        (r"\.res_block\.noise_func\.noise_func\.0\.", ".residual.time."),
        (r"\.res_block\.block(\d)\.block\.0\.", r".residual.norm\1."),
        (r"\.res_block\.block(\d)\.block\.3\.", r".residual.conv\1."),
        (r"\.attn\.", ".attention."),
        (r"\.cond_inj\.", ".modulate."),
        (r"\.x_conv\.", ".project."),
        (r"\.prenorm_x\.", ".norm."),
        (r"\.attn_out\.", ".out."),
        (r"\.attn_res\.", ".skip."),
        (r"^final_conv\.block\.0\.", "end.0."),
        (r"^final_conv\.block\.3\.", "end.2."),
    )


def wavelet_condition(ms_up: Tensor, pan: Tensor) -> Tensor:
    """Orthonormal Haar: mean of `ms_up`, then details H, D, V of `pan`; bilinear to PAN size, [B, C + 3, H, W].

    For a 2x2 block (a b; c d): mean (a+b+c+d)/2, H (a+b-c-d)/2, D (a-b-c+d)/2, V (a-b+c-d)/2.
    """
    signs = torch.tensor([[1.0, 1, -1, -1], [1, -1, -1, 1], [1, -1, 1, -1]])
    details = F.conv2d(pan, signs.to(pan).view(3, 1, 2, 2) / 2, stride=2)
    half = torch.cat([2 * F.avg_pool2d(ms_up, 2), details], 1)
    return F.interpolate(half, size=pan.shape[-2:], mode="bilinear")


class Block(nn.Module):
    """Modulation by a condition, then a residual block, then perhaps attention."""

    def __init__(self, channels: int, time: int, dropout: float, modulate: nn.Module | None, *, attends: bool):
        super().__init__()
        self.modulate = modulate
        self.residual = Residual(channels, channels, time, dropout)
        self.attention = SelfAttention(channels) if attends else nn.Identity()

    def forward(self, x: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        if self.modulate is not None:
            condition = F.interpolate(condition, size=x.shape[-2:], mode="bilinear")
            x = self.modulate(x, condition)
        return self.attention(self.residual(x, time))


class Style(nn.Module):
    """Coarse style modulation: 1x1(x) (1 + scale) + shift, both from the condition; starts as 1x1(x)."""

    def __init__(self, inputs: int, outputs: int, condition: int):
        super().__init__()
        last = nn.Conv2d(4 * outputs, 2 * outputs, 1)
        for parameter in last.parameters():
            nn.init.zeros_(parameter)
        first = nn.Conv2d(condition, 4 * outputs, 3, padding=1, bias=False)
        self.body = nn.Sequential(first, norm(4 * outputs), nn.SiLU(), last)
        self.project = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.body(condition).chunk(2, 1)
        return self.project(x) * (1 + scale) + shift


class Wavelet(nn.Module):
    """Fine wavelet modulation: linear attention of the features to the wavelets, then a convolutional MLP.

    Queries are normalised over image rows and keys over image columns, as released; linear attention would
    normalise over channels and over all pixels.
    """

    def __init__(self, inputs: int, outputs: int, condition: int, *, drop: float, heads: int = 8):
        super().__init__()
        self.heads, self.drop = heads, drop
        self.norm = norm(inputs)
        self.q = separable(inputs, inputs)
        self.kv = separable(condition, 2 * inputs)
        self.out = nn.Conv2d(inputs, outputs, 1)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.ffn = nn.Sequential(
            nn.Conv2d(outputs, 2 * outputs, 3, padding=1, bias=False),
            nn.SiLU(),
            nn.Conv2d(2 * outputs, outputs, 3, padding=1, bias=False),
            nn.Conv2d(outputs, outputs, 1),
        )

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        x = self.norm(x)
        k, v = self.kv(condition).chunk(2, 1)
        q, k, v = (y.flatten(2).unflatten(1, (self.heads, -1)) for y in (self.q(x).softmax(-2), k.softmax(-1), v))
        context = v @ k.transpose(-2, -1)
        mixed = context @ (q * q.shape[2] ** -0.5)
        y = self.out(mixed.flatten(1, 2).unflatten(2, x.shape[-2:])) + self.skip(x)
        return y + self.dropped(self.ffn(y))

    def dropped(self, x: Tensor) -> Tensor:
        """Stochastic depth: whole images of the batch without this branch, the others scaled up."""
        if not self.training:
            return x
        return x * F.dropout(x.new_ones(len(x), 1, 1, 1), self.drop)


def separable(inputs: int, outputs: int) -> nn.Sequential:
    """Depthwise 3x3 without bias, then 1x1."""
    depthwise = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False)
    return nn.Sequential(depthwise, nn.Conv2d(inputs, outputs, 1))
