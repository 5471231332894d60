"""HFIN: hierarchical frequency integration network [hfin]."""

from itertools import product

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from panflow import types
from panflow.networks._blocks import KEYS as SHARED
from panflow.networks._blocks import ContrastGate, Dense, FourierFuse, InvBlock, Refine, fuse_spectra, require


def windows(size: int) -> tuple[slice, slice]:
    """Two windows over `size` pixels that overlap by about a third: [0, 85) and [43, 128) of 128."""
    overlap = size // 3
    overlap -= (size - overlap) % 2
    edge = (size - overlap) // 2
    return slice(0, edge + overlap), slice(edge, size)


class LocalFourierFuse(nn.Module):
    """Fourier fusion within four overlapping windows, each with its own networks; overlaps are averaged.

    1×1 before and after, shared by the windows; amplitude and phase networks are 1×1 2c→8c→c→c with LReLU 0.1
    between.
    """

    def __init__(self, width: int):
        super().__init__()
        self.pre1, self.pre2, self.post = (nn.Conv2d(width, width, 1) for _ in range(3))
        self.amplitudes, self.phases = (
            nn.ModuleList(
                nn.Sequential(
                    nn.Conv2d(2 * width, 8 * width, 1),
                    nn.LeakyReLU(0.1),
                    nn.Conv2d(8 * width, width, 1),
                    nn.LeakyReLU(0.1),
                    nn.Conv2d(width, width, 1),
                )
                for _ in range(4)
            )
            for _ in range(2)
        )

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        a, b = self.pre1(a), self.pre2(b)
        total = torch.zeros_like(a, dtype=torch.promote_types(a.dtype, torch.float32))
        count = torch.zeros_like(a[:1, :1])
        places = product(windows(a.shape[-2]), windows(a.shape[-1]))
        for (rows, columns), amplitude, phase in zip(places, self.amplitudes, self.phases, strict=True):
            at = (..., rows, columns)
            total[at] += fuse_spectra(a[at], b[at], amplitude, phase)
            count[at] += 1
        return self.post(total / count)


class Block(nn.Module):
    """One exchange between the spatial branch A, the global G and the local L Fourier branch.

    p' = 3×3(p), q = 1×1(p'); A = 1×1(InvBlock(streams, q)), G = FourierFuse(S, q),
    L = LocalFourierFuse(F, q); L and G are each multiplied by 1 + gate(A, ·);
    s = L + 3×3(G), f = G + 3×3(L), each weighted by its ContrastGate and followed by 3×3.
    Returns S' = s + F, F' = f + S and p': the streams cross.
    The first block has one stream, S = F.
    """

    def __init__(self, width: int, streams: int):
        super().__init__()

        def gate() -> nn.Sequential:
            return nn.Sequential(
                nn.Conv2d(2 * width, width // 2, 3, padding=1),
                nn.LeakyReLU(0.1),
                nn.Conv2d(width // 2, width, 3, padding=1),
                nn.Sigmoid(),
            )

        mixed = (streams + 1) * width
        self.panprocess = nn.Conv2d(width, width, 3, padding=1)
        self.panpre = nn.Conv2d(width, width, 1)
        self.spatial = nn.Sequential(InvBlock(mixed, width, Dense), nn.Conv2d(mixed, width, 1))
        self.whole, self.local = FourierFuse(width), LocalFourierFuse(width)
        self.whole_gate, self.local_gate = gate(), gate()
        self.to_local, self.to_whole = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.contrast1, self.contrast2 = (ContrastGate(width, width // 2) for _ in range(2))
        self.post1, self.post2 = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, streams: tuple[Tensor, ...], p: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        p = self.panprocess(p)
        q = self.panpre(p)
        s, f = streams[0], streams[-1]
        spatial = self.spatial(torch.cat([*streams, q], 1))
        whole, local = self.whole(s, q), self.local(f, q)
        local = local * (1 + self.local_gate(torch.cat([spatial, local], 1)))
        whole = whole * (1 + self.whole_gate(torch.cat([spatial, whole], 1)))
        s_new = local + self.to_local(whole)
        f_new = whole + self.to_whole(local)
        s_new = self.post1(self.contrast1(s_new) * s_new) + f
        f_new = self.post2(self.contrast2(f_new) * f_new) + s
        return (s_new, f_new), p


class Network(types.Network, nn.Module):
    """HFIN: SFIIN's blocks with a third, windowed Fourier branch and two streams that cross [hfin].

    streams = 3×3(bicubic(ms)), corners aligned; p = 3×3(pan); five Blocks;
    residual = Refine(3×3(ContrastGate(z) · z)), z = the two streams; the paper adds bicubic(ms).
    Width 4 as in the released training script and weights (bands in the order B, G, R, NIR).

    The release is bound to PAN of 128×128 pixels; other sizes get windows of the same proportions here,
    equal at 128. 834 released parameters (at width 4) are never used: left out.
    Global (Fourier transform, image statistics): the output depends on the size of a tile.
    """

    inputs = ("ms", "pan")
    multiple = 1

    def __init__(self, bands: int, ratio: int = 4, *, form: str = "original", width: int = 4):
        super().__init__()
        require("form", form, ("original",), "HFIN has one public form")
        self.predicts = "residual"
        self.halo = None
        self.conv_p = nn.Conv2d(bands, width, 3, padding=1)
        self.conv_p1 = nn.Conv2d(1, width, 3, padding=1)
        self.blocks = nn.ModuleList(Block(width, streams) for streams in (1, 2, 2, 2, 2))
        self.contrast = ContrastGate(2 * width, width // 2)
        self.post = nn.Conv2d(2 * width, width, 3, padding=1)
        self.refine = Refine(width, bands)

    def forward(self, ms: Tensor, ms_up: Tensor, pan: Tensor) -> Tensor:
        enlarged = interpolate(ms, size=pan.shape[-2:], mode="bicubic", align_corners=True)
        streams: tuple[Tensor, ...] = (self.conv_p(enlarged),)
        p = self.conv_p1(pan)
        for block in self.blocks:
            streams, p = block(streams, p)
        z = torch.cat(streams, 1)
        return self.refine(self.post(self.contrast(z) * z))

    KEYS = (
        (r"\.spa_att\.|^process\.fuse\.", None),
        *SHARED,
        (r"^process\.block\.", "blocks.0."),
        (r"^process\.block(\d)\.", r"blocks.\1."),
        (r"^process\.", ""),
        (r"\.spa_process\.", ".spatial."),
        (r"\.fre_process\.", ".whole."),
        (r"\.STfre_process\.", ".local."),
        *((rf"\.amp_fuse{i + 1}\.", f".amplitudes.{i}.") for i in range(4)),
        *((rf"\.pha_fuse{i + 1}\.", f".phases.{i}.") for i in range(4)),
        (r"\.spa_ST_fusion\.", ".local_gate."),
        (r"\.spa_FT_fusion\.", ".whole_gate."),
        (r"\.FT_to_ST\.", ".to_local."),
        (r"\.ST_to_FT\.", ".to_whole."),
        (r"cha_att", "contrast"),
    )
