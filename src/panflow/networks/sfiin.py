"""SFIIN: spatial-frequency information integration [sfiin]."""

import torch
from torch import Tensor, nn

from panflow import types
from panflow.networks._blocks import KEYS as SHARED
from panflow.networks._blocks import ContrastGate, Dense, FourierFuse, InvBlock, Refine, require


class Block(nn.Module):
    """One exchange between the spatial branch A and the Fourier branch G.

    p' = 3×3(p), q = 1×1(p'); A = 1×1(InvBlock(m, q)), G = FourierFuse(m, q);
    r = A + G · sigmoid(3×3(LReLU(3×3(A - G)))); z = (r, G); m' = m + 3×3(ContrastGate(z) · z).
    Returns m', p'.
    """

    def __init__(self, width: int):
        super().__init__()
        self.panprocess = nn.Conv2d(width, width, 3, padding=1)
        self.panpre = nn.Conv2d(width, width, 1)
        self.spa_process = nn.Sequential(InvBlock(2 * width, width, Dense), nn.Conv2d(2 * width, width, 1))
        self.fre_process = FourierFuse(width)
        self.spa_att = nn.Sequential(
            nn.Conv2d(width, width // 2, 3, padding=1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(width // 2, width, 3, padding=1),
            nn.Sigmoid(),
        )
        self.cha_att = ContrastGate(2 * width, width // 2)
        self.post = nn.Conv2d(2 * width, width, 3, padding=1)

    def forward(self, m: Tensor, p: Tensor) -> tuple[Tensor, Tensor]:
        p = self.panprocess(p)
        q = self.panpre(p)
        spatial = self.spa_process(torch.cat([m, q], 1))
        fourier = self.fre_process(m, q)
        z = torch.cat([spatial + self.spa_att(spatial - fourier) * fourier, fourier], 1)
        return m + self.post(self.cha_att(z) * z), p


class Network(types.Network, nn.Module):
    """SFIIN: five blocks that exchange spatial and Fourier features, then 1×1 of all five and Refine [sfiin].

    m = 3×3(ms_up), p = 3×3(pan); (mᵢ, p) = Blockᵢ(mᵢ₋₁, p); residual = Refine(1×1(m₁ … m₅)).
    Released width c = 32. Both public forms are this network; the original adds `ms_up`, UniPAN's
    wrapper adds a bicubic one, and feeds a bilinear one (both with corners aligned).
    Global (Fourier transform, image statistics): the output depends on the size of a tile.
    """

    inputs = ("ms_up", "pan")
    multiple = 1

    def __init__(self, bands: int, ratio: int = 4, *, form: str = "original", width: int = 32):
        super().__init__()
        require("form", form, ("original", "unipan"), "both are the same layers")
        self.predicts = "residual"
        self.halo = None
        self.conv_p = nn.Conv2d(bands, width, 3, padding=1)
        self.conv_p1 = nn.Conv2d(1, width, 3, padding=1)
        self.blocks = nn.ModuleList(Block(width) for _ in range(5))
        self.fuse = nn.Conv2d(5 * width, width, 1)
        self.refine = Refine(width, bands)

    def forward(self, ms: Tensor, ms_up: Tensor, pan: Tensor) -> Tensor:
        m, p = self.conv_p(ms_up), self.conv_p1(pan)
        features = []
        for block in self.blocks:
            m, p = block(m, p)
            features.append(m)
        return self.refine(self.fuse(torch.cat(features, 1)))

    KEYS = (
        *SHARED,
        (r"^process\.block\.", "blocks.0."),
        (r"^process\.block(\d)\.", r"blocks.\1."),
        (r"^process\.", ""),
    )
