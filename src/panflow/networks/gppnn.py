"""GPPNN: gradient projection unfolded, alternating between what MS and what PAN demand [gppnn]."""

import torch.nn.functional as F
from torch import Tensor, nn

from panflow import types
from panflow.networks._cnn import check_form


class Network(types.Network, nn.Module):
    """Eight layers, each one gradient step with learned operators for MS and one for PAN [gppnn].

    With units U = conv(ReLU(conv(.))) without biases (3x3 for MS, 1x1 for PAN; each its own) and bicubic
    resizing with aligned corners, no antialiasing; H starts as the up-sized ms:

        H <- U(H + up(U(ms - down(U(H)))));   H <- U(H + U(pan - U(H)))

    Forms: "original" (PanBench runs the same) and "unipan", the same network read as the residual. Without
    skips the output of a fresh network is nearly zero; first epochs are slow. Aligned corners make a pixel's
    neighbourhood depend on the size of the image: no halo makes tiles equal the whole.
    """

    inputs = ("ms", "pan")
    multiple = 1

    def __init__(self, bands: int, ratio: int = 4, *, form: str = "original", layers: int = 8, width: int = 64):
        super().__init__()
        check_form("gppnn", form, ("original", "unipan"))
        self.predicts = "residual" if form == "unipan" else "image"
        self.halo = None
        self.ms_blocks = nn.ModuleList(Block(bands, bands, width, kernel=3) for _ in range(layers))
        self.pan_blocks = nn.ModuleList(Block(bands, 1, width, kernel=1) for _ in range(layers))

    def forward(self, ms: Tensor, ms_up: Tensor, pan: Tensor) -> Tensor:
        image = resize(ms, pan)
        for ms_block, pan_block in zip(self.ms_blocks, self.pan_blocks, strict=True):
            image = pan_block(ms_block(image, ms), pan)
        return image

    KEYS = (
        (r"^lr_blocks\.", "ms_blocks."),
        (r"\.(get_LR|get_PAN)\.", ".degrade."),
        (r"\.get_HR_residual\.", ".restore."),
        (r"\.basic_unit\.", "."),
    )


class Block(nn.Module):
    """One projected gradient step towards `observed`: prox(image + restore(observed - degrade(image)))."""

    def __init__(self, bands: int, observed: int, width: int, kernel: int):
        super().__init__()
        self.degrade = _unit(bands, observed, width, kernel)
        self.restore = _unit(observed, bands, width, kernel)
        self.prox = _unit(bands, bands, width, kernel)

    def forward(self, image: Tensor, observed: Tensor) -> Tensor:
        error = observed - resize(self.degrade(image), observed)
        return self.prox(image + resize(self.restore(error), image))


def _unit(channels: int, out: int, width: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, width, kernel, padding=kernel // 2, bias=False),
        nn.ReLU(),
        nn.Conv2d(width, out, kernel, padding=kernel // 2, bias=False),
    )


def resize(image: Tensor, like: Tensor) -> Tensor:
    """`image` on the grid of `like`, bicubic with aligned corners; itself where the sizes agree."""
    size = like.shape[-2:]
    if image.shape[-2:] == size:
        return image
    return F.interpolate(image, size=size, mode="bicubic", align_corners=True)
