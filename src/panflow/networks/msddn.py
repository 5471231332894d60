"""MSDDN: multi-scale dual-domain network [msddn]."""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from panflow import types
from panflow.networks._blocks import HIN, FourierFuse, InvBlock, Refine, require
from panflow.networks._blocks import KEYS as SHARED


class Network(types.Network, nn.Module):
    """MSDDN: invertible fusion down to a quarter of the size, Fourier fusion on the way up again [msddn].

    m = 3×3(bicubic(ms)), p₁ = 3×3(pan), p₂ = HIN(p₁), q = 3×3↓2(p₂), p₃ = HIN(q).
    down: s = fuse(m, p₁); s = fuse(3×3↓2(s), q); s = fuse(3×3↓2(s), 3×3↓2(p₃)), fuse = InvBlock, 1×1.
    up, after each bicubic ×2: s = s + f(Fourier(s, p₃), s); s = s + f(Fourier(s, p₂), s).
    residual = Refine(f(Fourier(s, p₁), s)), f = 3×3, ReLU, 1×1. All resizing has aligned corners.

    Released width 32. Both public forms are this network; the original adds bicubic(ms), UniPAN's
    wrapper the bicubic of the untransformed ms. 280,480 released parameters (at width 32: skips and
    third convolutions of all HIN blocks, a third HIN block, a 3×3, a downsampler) are never used: left out.

    `coupling_slope`: slope of the LReLU inside the three InvBlocks. The published networks hand over a
    dilation of 1 there, so those blocks have no such non-linearity; the default is the published
    network, 0.2 the intended one.
    Global (Fourier transform, image statistics): the output depends on the size of a tile.
    """

    inputs = ("ms", "pan")
    multiple = 4

    def __init__(
        self,
        bands: int,
        ratio: int = 4,
        *,
        form: str = "original",
        width: int = 32,
        coupling_slope: float = 1.0,
    ):
        super().__init__()
        require("form", form, ("original", "unipan"), "both are the same layers")
        self.predicts = "residual"
        self.halo = None

        def hin(inputs: int, outputs: int, slope: float = coupling_slope) -> HIN:
            return HIN(inputs, outputs, slope=slope, project=False, norm_last=True)

        def fuse() -> nn.Sequential:
            return nn.Sequential(InvBlock(2 * width, width, hin), nn.Conv2d(2 * width, width, 1))

        def merge() -> nn.Sequential:
            return nn.Sequential(nn.Conv2d(2 * width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 1))

        def down() -> nn.Conv2d:
            return nn.Conv2d(width, width, 3, stride=2, padding=1)

        self.msconv = nn.Conv2d(bands, width, 3, padding=1)
        self.panconv = nn.Conv2d(1, width, 3, padding=1)
        self.conv1, self.conv2 = hin(width, width, 0.2), hin(width, width, 0.2)
        self.down_pan1, self.down_pan2, self.down_spa1, self.down_spa2 = down(), down(), down(), down()
        self.fuse1, self.fuse2, self.fuse3 = fuse(), fuse(), fuse()
        self.fft1, self.fft2, self.fft3 = (FourierFuse(width) for _ in range(3))
        self.fuse4, self.fuse5, self.fuse6 = merge(), merge(), merge()
        self.conv_out = Refine(width, bands)

    def forward(self, ms: Tensor, ms_up: Tensor, pan: Tensor) -> Tensor:
        m = self.msconv(interpolate(ms, size=pan.shape[-2:], mode="bicubic", align_corners=True))
        p1 = self.panconv(pan)
        p2 = self.conv1(p1)
        q = self.down_pan1(p2)
        p3 = self.conv2(q)

        s = self.fuse1(torch.cat([m, p1], 1))
        s = self.fuse2(torch.cat([self.down_spa1(s), q], 1))
        s = self.fuse3(torch.cat([self.down_spa2(s), self.down_pan2(p3)], 1))

        s = _double(s)
        s = s + self.fuse4(torch.cat([self.fft1(s, p3), s], 1))
        s = _double(s)
        s = s + self.fuse5(torch.cat([self.fft2(s, p2), s], 1))
        return self.conv_out(self.fuse6(torch.cat([self.fft3(s, p1), s], 1)))

    KEYS = (
        (r"\.identity\.|\.conv_3\.|^conv2\.|^conv_ada\.|^down_pan3\.", None),
        (r"^conv0\.", "conv2."),
        *SHARED,
    )


def _double(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=2, mode="bicubic", align_corners=True)
