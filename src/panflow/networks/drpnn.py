"""DRPNN: a deep residual network of 7x7 convolutions [drpnn]."""

import torch
from torch import Tensor, nn

from panflow import types
from panflow.networks._cnn import check_form


class Network(types.Network, nn.Module):
    """fused = conv(x + conv(h)) with x = [ms_up, pan], h = nine times ReLU(conv(.)) of x, all 7x7 [drpnn].

    The skip joins PAN as well as the bands, and the last convolution turns the sum into the image. The only
    form is "original", that of the DLPan toolbox [dlpan], 32 features wide.
    """

    inputs = ("ms_up", "pan")
    multiple = 1

    def __init__(self, bands: int, ratio: int = 4, *, form: str = "original", width: int = 32, blocks: int = 8):
        super().__init__()
        check_form("drpnn", form, ("original",))
        self.predicts = "image"
        self.halo = 3 * (blocks + 3)
        self.head = nn.Sequential(nn.Conv2d(bands + 1, width, 7, padding=3), nn.ReLU())
        self.blocks = nn.Sequential(
            *(nn.Sequential(nn.Conv2d(width, width, 7, padding=3), nn.ReLU()) for _ in range(blocks))
        )
        self.residual = nn.Conv2d(width, bands + 1, 7, padding=3)
        self.tail = nn.Conv2d(bands + 1, bands, 7, padding=3)

    def forward(self, ms: Tensor, ms_up: Tensor, pan: Tensor) -> Tensor:
        both = torch.cat([ms_up, pan], 1)
        return self.tail(both + self.residual(self.blocks(self.head(both))))

    KEYS = (  # DLPan
        (r"^backbone\.(\d)\.conv2\.", r"blocks.\1.0."),
        (r"^conv1\.", "head.0."),
        (r"^conv2\.", "residual."),
        (r"^conv3\.", "tail."),
    )
