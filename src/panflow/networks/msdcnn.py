"""MSDCNN: a deep branch that looks at several scales beside a shallow one [msdcnn]."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from panflow import types
from panflow.networks._cnn import check_form

Activation = Callable[[], nn.Module]


def _slope() -> nn.Module:
    return nn.PReLU(init=0.5)


class _Form(NamedTuple):
    hidden: Activation  # after each inner convolution
    arm: Activation  # after each of the three convolutions of a multi-scale block, before their sum
    summed: Activation  # after that sum
    branch: Activation  # after the last convolution of either branch
    output: Activation  # after the sum of the branches
    middle: int  # kernel of the shallow branch's second layer


FORMS = {
    "original": _Form(nn.ReLU, nn.Identity, nn.ReLU, nn.Identity, nn.ReLU, 1),
    "panbench": _Form(nn.ReLU, nn.ReLU, nn.Identity, nn.Identity, nn.Identity, 1),
    "unipan": _Form(_slope, _slope, nn.Identity, _slope, nn.Identity, 5),
}


class Network(types.Network, nn.Module):
    """fused = deep([ms_up, pan]) + shallow([ms_up, pan]) [msdcnn].

    Deep: conv7 to 60, multi-scale block, conv3 to 30, multi-scale block, conv5; shallow: conv9 to 64, a middle
    layer to 32, conv5. A multi-scale block adds [conv3(x), conv5(x), conv7(x)] to x. The forms differ in their
    activations and in the middle layer, see `FORMS`: "original" is the DLPan toolbox's [dlpan], whose output is
    rectified; "unipan" has a learned slope after every convolution and predicts the residual, from a bilinear
    `ms_up`, corners not aligned.
    """

    inputs = ("ms_up", "pan")
    multiple = 1

    def __init__(self, bands: int, ratio: int = 4, *, form: str = "original"):
        super().__init__()
        hidden, arm, summed, branch, output, middle = FORMS[check_form("msdcnn", form, FORMS)]
        self.predicts = "residual" if form == "unipan" else "image"
        self.halo = 12
        self.deep = nn.Sequential(
            _layer(bands + 1, 60, 7, hidden),
            MultiScale(60, arm, summed),
            _layer(60, 30, 3, hidden),
            MultiScale(30, arm, summed),
            _layer(30, bands, 5, branch),
        )
        self.shallow = nn.Sequential(
            _layer(bands + 1, 64, 9, hidden), _layer(64, 32, middle, hidden), _layer(32, bands, 5, branch)
        )
        self.output = output()

    def forward(self, ms: Tensor, ms_up: Tensor, pan: Tensor) -> Tensor:
        both = torch.cat([ms_up, pan], 1)
        return self.output(self.deep(both) + self.shallow(both))

    KEYS = (
        (r"^shallow_conv_", "shallow"),  # PanBench, to the names of DLPan
        (r"^deep_conv_(\d)_sacle_", r"multi\1_"),
        (r"^conv2_", "multi1_"),
        (r"^conv4_", "multi2_"),
        (r"^(conv1|deep_conv_1)\.", "deep.0.0."),
        (r"^multi1_1\.", "deep.1.arms.0.0."),
        (r"^multi1_2\.", "deep.1.arms.1.0."),
        (r"^multi1_3\.", "deep.1.arms.2.0."),
        (r"^(conv3|deep_conv_2)\.", "deep.2.0."),
        (r"^multi2_1\.", "deep.3.arms.0.0."),
        (r"^multi2_2\.", "deep.3.arms.1.0."),
        (r"^multi2_3\.", "deep.3.arms.2.0."),
        (r"^(conv5|deep_conv_3)\.", "deep.4.0."),
        (r"^shallow1\.", "shallow.0.0."),
        (r"^shallow2\.", "shallow.1.0."),
        (r"^shallow3\.", "shallow.2.0."),
    )


class MultiScale(nn.Module):
    """x + [conv3(x), conv5(x), conv7(x)], a third of the features each."""

    def __init__(self, width: int, arm: Activation, summed: Activation):
        super().__init__()
        self.arms = nn.ModuleList(_layer(width, width // 3, kernel, arm) for kernel in (3, 5, 7))
        self.summed = summed()

    def forward(self, x: Tensor) -> Tensor:
        return self.summed(x + torch.cat([arm(x) for arm in self.arms], 1))


def _layer(channels: int, width: int, kernel: int, activation: Activation) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, width, kernel, padding=kernel // 2), activation())
