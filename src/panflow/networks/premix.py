"""PreMix: PAN and MS features, mixed by soft masks, predict a kernel for every pixel [premix]."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from panflow import types
from panflow.networks._blocks import require
from panflow.networks._clahe import clahe

FORMS = {"original": (32, 3), "unipan": (48, 6)}  # width, mixing blocks a sub-model
Pair = tuple[Tensor, Tensor]
Squash = Callable[[Tensor], Tensor]


def tanh_relu(x: Tensor) -> Tensor:
    return torch.tanh(F.relu6(x))


MASKS: dict[str, Squash] = {"sigmoid": torch.sigmoid, "tanh_relu": tanh_relu}


class Network(types.Network, nn.Module):
    """Three stages of three sub-models, coarse to fine, that filter `ms_up` and `pan` [premix].

    A sub-model at 1/2^i of the PAN size mixes features of its two inputs and predicts one 3x3 kernel K for
    each pixel and band, on either stream; then, at PAN size, with Y_0 = ms_up:

        Y <- K_ms * Y + K_pan * pan          (kernels are not normalised)

    Stage 1 sees high-pass images, stage 2 images equalised by CLAHE (clipped to [0, 1]), stage 3 plain ones;
    in each, i runs 2, 1, 0, and the features travel through all nine. Forms differ in size only: "original"
    is the authors' default (width 32, 3 blocks), "unipan" the enlarged one of UniPAN (48, 6). The authors'
    628-parameter output convolution (4 bands) is never run and left out. `mask` squashes the mixing mask;
    with `threshold` the mask is 1 where above it, else 0: features are swapped, not mixed, and the mask
    learns nothing (the authors' learnable threshold is left out). Inputs belong in [0, 1].
    """

    inputs = ("ms_up", "pan")
    multiple = 4

    def __init__(
        self,
        bands: int,
        ratio: int = 4,
        *,
        form: str = "original",
        width: int | None = None,
        blocks: int | None = None,
        mask: str = "sigmoid",
        threshold: float | None = None,
    ):
        super().__init__()
        require("form", form, FORMS, "or give width and blocks")
        require("mask", mask, MASKS, "choose one of these")
        width, blocks = width or FORMS[form][0], blocks or FORMS[form][1]
        self.predicts = "residual"
        self.halo = None  # CLAHE tables are of the whole image
        self.stages = nn.ModuleList(
            nn.ModuleList(SubModel(bands, width, blocks, scale, MASKS[mask], threshold) for scale in range(3))
            for _ in range(3)
        )

    def forward(self, ms: Tensor, ms_up: Tensor, pan: Tensor) -> Tensor:
        views = (
            (ms_up - blur(ms_up), pan - blur(pan)),
            (clahe(ms_up.clamp(0, 1)), clahe(pan.clamp(0, 1))),
            (ms_up, pan),
        )
        fused: Tensor = ms_up
        carried: Pair | None = None
        for stage, (view_ms, view_pan) in zip(self.stages, views, strict=True):
            for scale, model in reversed(list(enumerate(stage.children()))):
                coarse = (view_ms[..., :: 2**scale, :: 2**scale], view_pan[..., :: 2**scale, :: 2**scale])
                fused, carried = model(*coarse, fused, pan, carried)
        return fused

    KEYS = (
        (r"^postconv", None),
        (r"^model1\.", "stages.2."),
        (r"^model2\.", "stages.1."),
        (r"^model3\.", "stages.0."),
        (r"\.preconv\.", ".first."),
        (r"\.emix\.", ".rest."),
        (r"\.encoder_(ms|pan)\.encoder\.", r".\1."),
        (r"\.ewfm\.conv\.", ".mask."),
        (r"\.transconv_(ms|pan)\.", r".up_\1."),
        (r"\.pf_(ms|pan)\.conv\.", r".kernels_\1."),
    )


class SubModel(nn.Module):
    """Mixing blocks at 1/2^scale of the PAN size, transposed convolutions up to it, predicted filters."""

    def __init__(self, bands: int, width: int, blocks: int, scale: int, mask: Squash, threshold: float | None):
        super().__init__()
        self.first = Mixing(bands, 1, width, mask, threshold)
        self.rest = nn.ModuleList(Mixing(width, width, width, mask, threshold) for _ in range(blocks - 1))
        self.up_ms, self.up_pan = (
            nn.Sequential(*(nn.ConvTranspose2d(width, width, 3, 2, 1, output_padding=1) for _ in range(scale)))
            for _ in range(2)
        )
        self.kernels_ms, self.kernels_pan = (nn.Conv2d(width, 9 * bands, 3, padding=1) for _ in range(2))

    def forward(self, view_ms: Tensor, view_pan: Tensor, fused: Tensor, pan: Tensor, carried: Pair | None):
        a, b = self.first(view_ms, view_pan)
        if carried is not None:
            a, b = (x + F.interpolate(c, size=x.shape[-2:]) for x, c in zip((a, b), carried, strict=True))
        for block in self.rest:
            a, b = block(a, b)
        a, b = self.up_ms(a), self.up_pan(b)
        fused = filtered(fused, self.kernels_ms(a)) + filtered(pan.expand_as(fused), self.kernels_pan(b))
        return fused, (a, b)


class Mixing(nn.Module):
    """Encode both streams, then exchange a share of them: a <- (1 - m) a + m b, b <- (1 - m) b + m a."""

    def __init__(self, channels_ms: int, channels_pan: int, width: int, squash: Squash, threshold: float | None):
        super().__init__()
        self.ms, self.pan = (
            nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), Residual(width))
            for channels in (channels_ms, channels_pan)
        )
        self.mask = Residual(width)
        self.squash, self.threshold = squash, threshold

    def forward(self, ms: Tensor, pan: Tensor) -> tuple[Tensor, Tensor]:
        a, b = self.ms(ms), self.pan(pan)
        mask = self.squash(self.mask(a + b))
        if self.threshold is not None:
            mask = (mask > self.threshold).to(a)
        return torch.lerp(a, b, mask), torch.lerp(b, a, mask)


class Residual(nn.Module):
    """x + conv(ReLU(conv(x))), 3x3, without bias."""

    def __init__(self, width: int):
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.relu(self.conv1(x)))


def filtered(image: Tensor, kernels: Tensor) -> Tensor:
    """Each pixel of `image` [B, C, H, W] through its own 3x3 kernel of `kernels` [B, 9 C, H, W]; mirrored."""
    height, width = image.shape[-2:]
    padded = F.pad(image, (1, 1, 1, 1), mode="reflect")
    weights = kernels.unflatten(1, (-1, 9)).unbind(2)
    shifts = ((i, j) for i in range(3) for j in range(3))
    return sum(w * padded[..., i : i + height, j : j + width] for w, (i, j) in zip(weights, shifts, strict=True))


def blur(image: Tensor) -> Tensor:
    """3x3 Gaussian of sigma 1.5 pixels, reflected borders."""
    taps = torch.exp(-(torch.tensor([-1.0, 0.0, 1.0]) ** 2) / (2 * 1.5**2)).to(image)
    taps = taps / taps.sum()
    kernel = torch.outer(taps, taps).expand(image.shape[1], 1, 3, 3)
    return F.conv2d(F.pad(image, (1, 1, 1, 1), mode="reflect"), kernel, groups=image.shape[1])
