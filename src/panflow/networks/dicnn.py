"""DiCNN1: the detail as a function of MS and PAN together, three convolutions [dicnn]."""

import torch
from torch import Tensor, nn

from panflow import types
from panflow.networks._cnn import check_form, initialise


class Network(types.Network, nn.Module):
    """fused - ms_up = conv(ReLU(conv(ReLU(conv([ms_up, pan]))))), all 3x3 [dicnn].

    The only form is "original", the variant that the paper calls DiCNN1, as in the DLPan toolbox
    [dlpan], with its initialisation.
    """

    inputs = ("ms_up", "pan")
    multiple = 1

    def __init__(self, bands: int, ratio: int = 4, *, form: str = "original", width: int = 64):
        super().__init__()
        check_form("dicnn", form, ("original",))
        self.predicts = "residual"
        self.halo = 3
        self.layers = nn.Sequential(
            nn.Conv2d(bands + 1, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, bands, 3, padding=1),
        )
        initialise(self)

    def forward(self, ms: Tensor, ms_up: Tensor, pan: Tensor) -> Tensor:
        return self.layers(torch.cat([ms_up, pan], 1))

    KEYS = (
        (r"^conv1\.", "layers.0."),
        (r"^conv2\.", "layers.2."),
        (r"^conv3\.", "layers.4."),
    )  # DLPan
