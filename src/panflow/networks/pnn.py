"""PNN: three convolutions, the first network for pansharpening [pnn]."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from panflow import types
from panflow.networks._cnn import check_form

FORMS = {"original": (64, 32), "unipan": (48, 32), "panbench": (64, 32)}  # widths of the two hidden layers


class Network(types.Network, nn.Module):
    """conv5(ReLU(conv5(ReLU(conv9([ms_up, pan]))))) [pnn]; the widths are those of the forms.

    "original" is the network of the DLPan toolbox [dlpan]: convolutions without padding behind one
    replicated border of 8 pixels. (In training the toolbox cuts 8 pixels off the reference instead.) The paper
    adds radiometric indices such as NDVI to the inputs of some sensors; no public form does.
    "panbench" pads each layer with zeros. "unipan" does so too, is narrower and predicts the residual; it was
    run on a bilinear `ms_up`, corners not aligned.
    """

    inputs = ("ms_up", "pan")
    multiple = 1

    def __init__(self, bands: int, ratio: int = 4, *, form: str = "original", widths: tuple[int, int] | None = None):
        super().__init__()
        check_form("pnn", form, FORMS)
        first, second = widths or FORMS[form]
        self.predicts = "residual" if form == "unipan" else "image"
        self.halo = 8
        self.border = self.halo if form == "original" else 0
        padding = ("valid", "same")[form != "original"]
        self.layers = nn.Sequential(
            nn.Conv2d(bands + 1, first, 9, padding=padding),
            nn.ReLU(),
            nn.Conv2d(first, second, 5, padding=padding),
            nn.ReLU(),
            nn.Conv2d(second, bands, 5, padding=padding),
        )

    def forward(self, ms: Tensor, ms_up: Tensor, pan: Tensor) -> Tensor:
        return self.layers(F.pad(torch.cat([ms_up, pan], 1), 4 * [self.border], mode="replicate"))

    KEYS = (
        (r"^conv1\.", "layers.0."),  # DLPan
        (r"^conv2\.", "layers.2."),
        (r"^conv3\.", "layers.4."),
        (r"^net\.", "layers."),  # PanBench
    )
