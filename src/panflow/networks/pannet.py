"""PanNet: a residual network on the high frequencies of MS and PAN, so that brightness does not matter [pannet]."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from panflow import types
from panflow.networks._cnn import ResidualBlock, check_form, check_power_of_two, initialise

FORMS = {"original": 4, "unipan": 5, "panbench": 4}  # residual blocks


class Network(types.Network, nn.Module):
    """fused - ms_up = conv(blocks(ReLU(conv([T(high(ms)), high(pan)])))), convolutions 3x3 [pannet].

    high(x) = x minus its 5x5 mean, at the size of x (borders reflected); T is a learned transposed convolution
    to PAN size. "original" is the form of the DLPan toolbox [dlpan], with its initialisation.
    "panbench" puts PAN first, normalises batches in the blocks and rectifies before their sums.
    "unipan" takes no high-pass, up-samples by transposed convolutions of stride 2, puts PAN first and has five blocks.
    Raises `InputError` for a ratio that is no power of two.
    """

    inputs = ("ms", "pan")
    multiple = 1

    def __init__(
        self,
        bands: int,
        ratio: int = 4,
        *,
        form: str = "original",
        width: int = 32,
        blocks: int | None = None,
    ):
        super().__init__()
        check_form("pannet", form, FORMS)
        blocks = blocks or FORMS[form]
        steps = check_power_of_two("pannet", ratio)
        self.form = form
        self.predicts = "residual"
        block = NormalisedBlock if form == "panbench" else ResidualBlock
        self.head = nn.Sequential(nn.Conv2d(bands + 1, width, 3, padding=1), nn.ReLU())
        self.blocks = nn.Sequential(*(block(width) for _ in range(blocks)))
        self.tail = nn.Conv2d(width, bands, 3, padding=1)
        self.up: nn.Module
        if form == "unipan":
            self.up = nn.Sequential(
                *(nn.ConvTranspose2d(bands, bands, 3, 2, padding=1, output_padding=1) for _ in range(steps))
            )
            halo = ratio - 1  # 1 + 2 + ... PAN pixels beyond those of the MS pixel
        else:
            self.up = nn.ConvTranspose2d(bands, bands, 2 * ratio, ratio, padding=ratio // 2)
            halo = 2 * ratio + ratio // 2  # two MS pixels of the mean, half of one of the kernel
        self.halo = halo + 2 + 2 * blocks
        if form == "original":
            initialise(self)  # leaves transposed convolutions as torch makes them

    def forward(self, ms: Tensor, ms_up: Tensor, pan: Tensor) -> Tensor:
        if self.form != "unipan":
            ms, pan = high_pass(ms), high_pass(pan)
        both = [self.up(ms), pan] if self.form == "original" else [pan, self.up(ms)]
        return self.tail(self.blocks(self.head(torch.cat(both, 1))))

    KEYS = (
        (r"^res\d\.", None),  # DLPan stores the blocks twice, as res1..4 and as backbone.0..3
        (r"^backbone\.(\d)\.conv20\.", r"blocks.\1.conv1."),
        (r"^backbone\.(\d)\.conv21\.", r"blocks.\1.conv2."),
        (r"^deconv\.", "up."),
        (r"^conv1\.", "head.0."),
        (r"^conv3\.", "tail."),
        (r"^layer_0\.0\.", "up."),  # PanBench
        (r"^layer_1\.", "head."),
        (r"^layer_2\.0\.(\d)\.net\.", r"blocks.\1.layers."),
        (r"^layer_2\.1\.", "tail."),
    )


class NormalisedBlock(nn.Module):
    """x + ReLU(norm(conv(ReLU(norm(conv(x)))))): PanBench's block."""

    def __init__(self, width: int):
        super().__init__()
        layers = [[nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()] for _ in range(2)]
        self.layers = nn.Sequential(*layers[0], *layers[1])

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def high_pass(image: Tensor) -> Tensor:
    """`image` [B, C, H, W] minus its 5x5 mean; the border is reflected without repeating the edge."""
    return image - F.avg_pool2d(F.pad(image, (2, 2, 2, 2), mode="reflect"), 5, stride=1)
