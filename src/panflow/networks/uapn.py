"""UAPN: fusion whose kernels adapt to how uncertain a first estimate is [uapn]."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from panflow import types
from panflow.networks._blocks import HIN, InvBlock, require

PASSES = 10  # T
DROPPED = 0.2  # q


class Estimate(NamedTuple):
    """An image seen by the way, and how sure of it: all [B, C, H, W]; the loss of the paper needs them."""

    aleatoric: Tensor
    epistemic: Tensor
    mean: Tensor


class Network(types.Network, nn.Module):
    """Two stages of feature extraction, uncertainty estimation and fusion with PAN [uapn].

    M = bicubic(ms), corners aligned, inside; f = 1x1(M), p = 1x1(pan); twice f <- fuse(join(f, extract(f)),
    M, p); residual = 1x1(f). Forms: "original" has width 12, "unipan" as many as bands. The original adds M
    at the end; here the caller adds `ms_up`. The public code is wired to four bands, this is the obvious
    extension.

    The epistemic uncertainty is the variance over 10 passes that drop a fifth of the channels, in use as in
    training, so the public code never gives one image twice. Pass `masks` [2, 10, 2 width] of 0 and 1 to
    choose (first stage, then second). Without them training draws anew, and evaluation draws from a
    generator seeded with `seed`: the same masks for every tile, which is where we differ.
    """

    inputs = ("ms", "pan")
    multiple = 1

    def __init__(
        self,
        bands: int,
        ratio: int = 4,
        *,
        form: str = "original",
        width: int | None = None,
        seed: int = 0,
    ):
        super().__init__()
        require("form", form, ("original", "unipan"), "or give a width")
        width = width or (bands if form == "unipan" else 12)
        if width % 2:
            raise ValueError(f"expected an even width, got {width}: the couplings halve it; give width={width + 1}")
        self.predicts = "residual"
        self.halo = None  # instance norms and corner-aligned resizing
        self.ratio, self.width, self.seed = ratio, width, seed
        self.conv_ms = nn.Conv2d(bands, width, 1)
        self.conv_pan = nn.Conv2d(1, width, 1)
        self.conv_out = nn.Conv2d(width, bands, 1)
        self.stages = nn.ModuleList(Stage(width, bands) for _ in range(2))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, ms: Tensor, ms_up: Tensor, pan: Tensor, masks: Tensor | None = None) -> Tensor:
        return self.staged(ms, ms_up, pan, masks)[0]

    def staged(
        self, ms: Tensor, ms_up: Tensor, pan: Tensor, masks: Tensor | None = None
    ) -> tuple[Tensor, list[Estimate]]:
        """The residual, and each stage's estimate of the image (M included) with its uncertainties."""
        masks = self.draw_masks() if masks is None else masks
        base = F.interpolate(ms, scale_factor=self.ratio, mode="bicubic", align_corners=True)
        x, p = self.conv_ms(base), self.conv_pan(pan)
        estimates = []
        for stage, stage_masks in zip(self.stages, masks.to(ms), strict=True):
            x, estimate = stage(x, base, p, stage_masks)
            estimates.append(estimate)
        return self.conv_out(x), estimates

    def draw_masks(self) -> Tensor:
        """[2, passes, 2 width]: 1 keeps a channel, 0 drops it; nothing is scaled up for it."""
        generator = None if self.training else torch.Generator().manual_seed(self.seed)
        return (torch.rand(2, PASSES, 2 * self.width, generator=generator) >= DROPPED).float()

    KEYS = (
        (r"dowm", "down"),
        (r"^FEM1\.", "stages.0.extract."),
        (r"^FEM2\.", "stages.1.extract."),
        (r"^skip1\.", "stages.0.join."),
        (r"^skip2\.", "stages.1.join."),
        (r"^UAFM1\.", "stages.0."),
        (r"^UAFM2\.", "stages.1."),
        (r"\.(layer_\w+)\.body\.0\.", r".\1."),
        (r"\.(fus\d)\.body\.0\.", r".\1.body."),
        (r"\.((?:down|up)\d)\.conv\.", r".\1."),
        (r"\.conv_2\.0\.", ".conv_2."),
        (r"\.UE\.conv\.0\.", ".features."),
        (r"\.UE\.out\.0\.", ".sample."),
        (r"\.UE\.aue\.0\.", ".aleatoric."),
        (r"^(stages\.\d\.conv\d)\.0\.", r"\1."),
        (r"\.UGAConv(\d)\.", r".adaptive\1."),
        (r"\.(spatial|spectral)_generator\.", r".\1."),
    )


class Stage(nn.Module):
    """Extraction, join with the input, then fusion with PAN guided by the epistemic uncertainty E.

    e = 3x3 to 2c (f); x_i = tanh(1x1(mask_i e)) + M; mean and E = mean and variance of the x_i; A =
    sigmoid(3x3(e)); g = LReLU(1x1(UAConv((f, p), E))), result LReLU(1x1(UAConv((f, g), 1 - E))), slope 0.2.
    """

    def __init__(self, width: int, bands: int):
        super().__init__()
        self.extract = Extraction(width)
        self.join = Skip(width)
        self.features = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.sample = nn.Conv2d(2 * width, bands, 1)
        self.aleatoric = nn.Conv2d(2 * width, bands, 3, padding=1)
        self.adaptive1, self.adaptive2 = (UncertaintyConv(2 * width, width, bands) for _ in range(2))
        self.conv1, self.conv2 = (nn.Conv2d(width, width, 1) for _ in range(2))

    def forward(self, x: Tensor, base: Tensor, p: Tensor, masks: Tensor) -> tuple[Tensor, Estimate]:
        extracted = self.extract(x)
        x = self.join(x, extracted)
        e = self.features(x)
        images = torch.stack([torch.tanh(self.sample(e * mask[:, None, None])) + base for mask in masks])
        epistemic, mean = torch.var_mean(images, 0)
        estimate = Estimate(torch.sigmoid(self.aleatoric(e)), epistemic, mean)
        g = F.leaky_relu(self.conv1(self.adaptive1(torch.cat([x, p], 1), epistemic)), 0.2)
        y = F.leaky_relu(self.conv2(self.adaptive2(torch.cat([x, g], 1), 1 - epistemic)), 0.2)
        return y, estimate


class Extraction(nn.Module):
    """A U-Net without resampling: coupling blocks, dilated convolutions in place of down and up."""

    def __init__(self, width: int):
        super().__init__()
        self.layer_down1, self.layer_down2, self.layer_bottom, self.layer_up2, self.layer_up1 = (
            InvBlock(width, width // 2, HIN, mix=False) for _ in range(5)
        )
        self.down1, self.down2 = (dilated(nn.Conv2d, width, dilation) for dilation in (2, 4))
        self.up2, self.up1 = (dilated(nn.ConvTranspose2d, width, dilation) for dilation in (4, 2))
        self.skip1, self.skip2, self.skip3, self.skip4, self.skip5, self.skip6 = (Skip(width) for _ in range(6))
        self.fus2, self.fus1 = (Skip(width, HIN(2 * width, width)) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        a = x + self.layer_down1(x)
        down1 = self.skip1(x, self.down1(a))
        b = down1 + self.layer_down2(down1)
        down2 = self.skip2(down1, self.down2(b))
        down2 = self.skip3(x, down2)
        bottom = down2 + self.layer_bottom(down2)
        up2 = self.skip4(bottom, self.up2(bottom))
        c = self.fus2(b, up2 + self.layer_up2(up2))
        up1 = self.skip5(c, self.up1(c))
        d = self.skip6(bottom, up1 + self.layer_up1(up1))
        return self.fus1(a, d)


def dilated(kind: type[nn.Conv2d] | type[nn.ConvTranspose2d], width: int, dilation: int) -> nn.Sequential:
    """3x3 of the same size, instance norm, ReLU."""
    conv = kind(width, width, 3, padding=dilation, dilation=dilation)
    return nn.Sequential(conv, nn.InstanceNorm2d(width, affine=True), nn.ReLU())


class Skip(nn.Module):
    """alpha1 body(x, y) + alpha2 y, learned from 1 and 1/2; body: 1x1, instance norm, ReLU unless given."""

    def __init__(self, width: int, body: nn.Module | None = None):
        super().__init__()
        self.body = body or nn.Sequential(
            nn.Conv2d(2 * width, width, 1), nn.InstanceNorm2d(width, affine=True), nn.ReLU()
        )
        self.alpha1, self.alpha2 = (nn.Parameter(torch.full((1,), start)) for start in (1.0, 0.5))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.alpha1 * self.body(torch.cat([x, y], 1)) + self.alpha2 * y


class UncertaintyConv(nn.Module):
    """3x3 convolution whose taps are weighted at every pixel, by the uncertainty: W (alpha_k beta_n x_nk).

    alpha: nine spatial weights, beta: one weight per input channel, both in (0, 1); no bias.
    """

    def __init__(self, inputs: int, outputs: int, guide: int):
        super().__init__()
        self.weight = nn.Parameter(nn.Conv2d(inputs, outputs, 3).weight.detach())
        self.spatial, self.spectral = (
            nn.Sequential(
                nn.Conv2d(guide, n, size, padding=size // 2),
                nn.ReLU(),
                nn.Conv2d(n, n, 1),
                nn.ReLU(),
                nn.Conv2d(n, n, 1),
                nn.Sigmoid(),
            )
            for n, size in ((9, 3), (inputs, 1))
        )

    def forward(self, x: Tensor, uncertainty: Tensor) -> Tensor:
        taps = F.unfold(x, 3, padding=1).unflatten(2, x.shape[-2:]).unflatten(1, (-1, 9))
        taps = taps * self.spatial(uncertainty)[:, None] * self.spectral(uncertainty)[:, :, None]
        return F.conv2d(taps.flatten(1, 2), self.weight.flatten(1)[:, :, None, None])
