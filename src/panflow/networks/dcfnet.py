"""DCFNet: dynamic cross feature fusion over three resolutions [dcfnet]."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from panflow import types
from panflow.networks._blocks import require


def unit(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, relu: bool = True) -> nn.Sequential:
    """Convolution without bias, batch norm, ReLU."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs, momentum=0.01),
    ]
    return nn.Sequential(*layers, nn.ReLU()) if relu else nn.Sequential(*layers)


def shares(weights: Tensor) -> Tensor:
    """ReLU(v) / (Σ ReLU(v) + 1e-4), the sum over the first dimension."""
    positive = weights.relu()
    return positive / (positive.sum(0) + 1e-4)


class Residual(nn.Module):
    """ReLU(body(x) + shortcut(x)): HRNet's basic block and bottleneck."""

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None):
        super().__init__()
        self.body = body
        self.shortcut = shortcut or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return (self.body(x) + self.shortcut(x)).relu()


def basic(width: int) -> Residual:
    return Residual(nn.Sequential(unit(width, width), unit(width, width, relu=False)))


def bottleneck(inputs: int, planes: int = 64, outputs: int = 256) -> Residual:
    body = nn.Sequential(unit(inputs, planes, 1), unit(planes, planes), unit(planes, outputs, 1, relu=False))
    return Residual(body, None if inputs == outputs else unit(inputs, outputs, 1, relu=False))


class BandFuse(nn.Module):
    """Features meet the bands of their own size: basic(ReLU(v₀ a + v₁ 3×3(bands))), v = shares."""

    def __init__(self, width: int, bands: int):
        super().__init__()
        self.weights = nn.Parameter(torch.ones(2))
        self.conv = nn.Conv2d(bands, width, 3, padding=1, bias=False)
        self.block = basic(width)

    def forward(self, features: Tensor, bands: Tensor) -> Tensor:
        v = shares(self.weights)
        return self.block((v[0] * features + v[1] * self.conv(bands)).relu())


class CrossFuse(nn.Module):
    """Every branch becomes ReLU(Σⱼ Ŵᵢⱼ termⱼ), Ŵ = shares of a learnable matrix, which starts at ones.

    termⱼ: branch j itself, or 1×1 and bilinear enlargement, or a chain of 3×3 of stride 2. The matrix has a
    row and a column more than there are branches [as released]; the row takes part in the column sums.
    """

    def __init__(self, widths: Sequence[int]):
        super().__init__()
        self.weights = nn.Parameter(torch.ones(len(widths) + 1, len(widths) + 1))
        self.terms = nn.ModuleDict(
            {f"{i}{j}": self._term(widths, i, j) for i in range(len(widths)) for j in range(len(widths))}
        )

    @staticmethod
    def _term(widths: Sequence[int], i: int, j: int) -> nn.Module:
        if i == j:
            return nn.Identity()
        if j > i:
            return unit(widths[j], widths[i], 1, relu=False)
        links = [unit(widths[j], widths[j], stride=2) for _ in range(i - j - 1)]
        return nn.Sequential(*links, unit(widths[j], widths[i], stride=2, relu=False))

    def forward(self, branches: Sequence[Tensor]) -> list[Tensor]:
        w = shares(self.weights)
        fused = []
        for i, like in enumerate(branches):
            terms = (w[i, j] * enlarge(self.terms[f"{i}{j}"](x), like) for j, x in enumerate(branches))
            fused.append(sum(terms, torch.zeros_like(like)).relu())
        return fused


class Quarter(nn.Module):
    """The quarter-size branch from the two others before their fusion and ms.

    s = b₁ + [3×3↓2 32→64](b₀);  v₀ [3×3↓2 64→128](b₁) + v₁ BandFuse([3×3↓2 64→128](s), ms), v = shares.
    """

    def __init__(self, bands: int):
        super().__init__()
        self.weights = nn.Parameter(torch.ones(2))
        self.from_full = unit(32, 64, stride=2)
        self.from_half = unit(64, 128, stride=2)
        self.from_sum = unit(64, 128, stride=2)
        self.bands = BandFuse(128, bands)

    def forward(self, full: Tensor, half: Tensor, ms: Tensor) -> Tensor:
        v = shares(self.weights)
        total = half + self.from_full(full)
        return v[0] * self.from_half(half) + v[1] * self.bands(self.from_sum(total), ms)


def enlarge(x: Tensor, like: Tensor) -> Tensor:
    return interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=True)


def branch(width: int) -> nn.Sequential:
    return nn.Sequential(*(basic(width) for _ in range(3)))


class Network(types.Network, nn.Module):
    """DCFNet: HRNet-like branches of three sizes that fuse crosswise and meet the bands [dcfnet].

    Stem and four bottlenecks on (pan, ms_up); half branch with ms enlarged twice (bilinear, corners
    aligned), then three basic blocks each; quarter branch with ms; cross fusion of two, later of three
    branches; residual = 1×1(ReLU(BN(1×1(all branches at full size)))). The paper adds `ms_up`.

    One public training code compares this residual with the reference, forgetting `ms_up`, which its
    validation adds: train it as a residual. 147,712 released parameters (a 3×3 of the quarter branch)
    are never used: left out.
    Corner-aligned resizing makes tiles differ slightly from the whole image.
    """

    inputs = ("ms", "ms_up", "pan")
    multiple = 4

    def __init__(self, bands: int, ratio: int = 4, *, form: str = "original"):
        super().__init__()
        require("ratio", ratio, (4,), "DCFNet's quarter branch has the size of ms; resample ms first")
        require("form", form, ("original",), "DCFNet has one public form")
        self.predicts = "residual"
        self.halo = None
        self.stem = nn.Sequential(unit(bands + 1, 64), unit(64, 64))
        self.layer1 = nn.Sequential(bottleneck(64), *(bottleneck(256) for _ in range(3)))
        self.to_full = unit(256, 32)
        self.to_half = unit(256, 64, stride=2)
        self.bands = BandFuse(64, bands)
        self.branches2 = nn.ModuleList(branch(width) for width in (32, 64))
        self.quarter = Quarter(bands)
        self.fuse2 = CrossFuse((32, 64))
        self.branches3 = nn.ModuleList(branch(width) for width in (32, 64, 128))
        self.fuse3 = CrossFuse((32, 64, 128))
        self.head = nn.Sequential(
            nn.Conv2d(224, 224, 1), nn.BatchNorm2d(224, momentum=0.01), nn.ReLU(), nn.Conv2d(224, bands, 1)
        )

    def forward(self, ms: Tensor, ms_up: Tensor, pan: Tensor) -> Tensor:
        x = self.layer1(self.stem(torch.cat([pan, ms_up], 1)))
        half = self.to_half(x)
        pair = [self.to_full(x), self.bands(half, enlarge(ms, half))]
        pair = [blocks(y) for blocks, y in zip(self.branches2, pair, strict=True)]
        three = [*self.fuse2(pair), self.quarter(*pair, ms)]
        three = self.fuse3([blocks(y) for blocks, y in zip(self.branches3, three, strict=True)])
        return self.head(torch.cat([enlarge(y, pan) for y in three], 1))

    KEYS = (
        (r"\.b2_conv_out\.", None),
        (r"^conv([12])\.", r"stem.\1.0."),
        (r"^bn([12])\.", r"stem.\1.1."),
        (r"\.conv([123])\.", r".body.\1.0."),
        (r"\.bn([123])\.", r".body.\1.1."),
        *((rf"^stem\.{i + 1}\.", f"stem.{i}.") for i in range(2)),
        *((rf"\.body\.{i + 1}\.", f".body.{i}.") for i in range(3)),
        (r"\.downsample\.", ".shortcut."),
        (r"^transition1\.0\.", "to_full."),
        (r"^transition1\.1\.0\.0\.b0_in_down\.", "to_half."),
        (r"^transition1\.1\.0\.0\.cfs_layers\.0\.", "bands."),
        (r"^stage2\.0\.transition_layers\.2\.0\.0\.", "quarter."),
        (r"\.b0_in_down\.", ".from_full."),
        (r"\.b1_down\.", ".from_sum."),
        (r"\.b1_in_down\.", ".from_half."),
        (r"\.cfs_layers\.0\.", ".bands."),
        (r"\.rs_w$", ".weights"),
        (r"\.conv_up\.", ".conv."),
        (r"\.res_block\.0\.", ".block."),
        (r"^stage(\d)\.0\.fcc_w", r"fuse\1.weights"),
        (r"^stage(\d)\.0\.fuse_layers\.(\d)\.(\d)\.", r"fuse\1.terms.\2\3."),
        (r"^stage(\d)\.0\.branches\.", r"branches\1."),
        (r"^last_layer\.", "head."),
    )
