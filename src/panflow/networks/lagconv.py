"""LAGConv (LAGNet): local-context adaptive convolution with a global bias [lagconv]."""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from panflow import types
from panflow.networks._blocks import require


class LagConv(nn.Module):
    """3×3 convolution whose patches are reweighted pixel by pixel, with a bias from the image mean.

    y = Σₖ Wₖ (αₖ ⊙ x shifted by k) + bias(mean(x)); α = sigmoid(1×1(ReLU(1×1(ReLU(3×3(x)))))), nine
    numbers a pixel shared by all channels; bias = 1×1(ReLU(1×1(·))). No static bias.
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.weight = nn.Parameter(nn.Conv2d(inputs, outputs, 3).weight.detach())
        self.alpha = nn.Sequential(
            nn.Conv2d(inputs, 9, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(9, 9, 1),
            nn.ReLU(),
            nn.Conv2d(9, 9, 1),
            nn.Sigmoid(),
        )
        self.bias = nn.Sequential(nn.Conv2d(inputs, outputs, 1), nn.ReLU(), nn.Conv2d(outputs, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        alpha = self.alpha(x)
        y = self.bias(x.mean((2, 3), keepdim=True))
        padded = pad(x, (1, 1, 1, 1))
        # Nine 1×1 convolutions: the unfolded patches would take nine times the memory of the features.
        for k in range(9):
            row, column = divmod(k, 3)
            shifted = padded[..., row : row + height, column : column + width]
            y = y + conv2d(alpha[:, k : k + 1] * shifted, self.weight[:, :, row, column, None, None])
        return y


class ResidualBlock(nn.Module):
    """x + LagConv(ReLU(LagConv(x)))."""

    def __init__(self, width: int):
        super().__init__()
        self.conv1 = LagConv(width, width)
        self.conv2 = LagConv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(self.conv1(x).relu())


class Network(types.Network, nn.Module):
    """LAGConv: a residual network of local-context adaptive convolutions [lagconv].

    x = ReLU(LagConv(pan, ms_up)), pan first; five ResidualBlocks; residual = LagConv(x).
    The original adds `ms_up`. UniPAN's form is the same network, fed with a bilinear `ms_up` (corners
    not aligned). Global by the image means in the bias: tiles differ from the whole image.
    """

    inputs = ("ms_up", "pan")
    multiple = 1

    def __init__(self, bands: int, ratio: int = 4, *, form: str = "original", width: int = 32):
        super().__init__()
        require("form", form, ("original", "unipan"), "both are the same layers")
        self.predicts = "residual"
        self.halo = None
        self.head = LagConv(bands + 1, width)
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(5)))
        self.tail = LagConv(width, bands)

    def forward(self, ms: Tensor, ms_up: Tensor, pan: Tensor) -> Tensor:
        return self.tail(self.blocks(self.head(torch.cat([pan, ms_up], 1)).relu()))

    KEYS = (
        (r"^head_conv\.0\.", "head."),
        (r"^tail_conv\.", "tail."),
        *((rf"^RB{i + 1}\.", f"blocks.{i}.") for i in range(5)),
        (r"\.attention1\.", ".alpha."),
        (r"\.attention3\.1\.", ".bias.0."),
        (r"\.attention3\.3\.", ".bias.2."),
    )
