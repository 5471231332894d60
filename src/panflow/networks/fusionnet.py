"""FusionNet: residual blocks on the difference of PAN and MS [fusionnet]."""

from torch import Tensor, nn

from panflow import types
from panflow.networks._cnn import ResidualBlock, check_form


class Network(types.Network, nn.Module):
    """fused - ms_up = conv(blocks(ReLU(conv(pan - ms_up)))), all 3x3, four residual blocks [fusionnet].

    PAN is compared with every band. "original" is the form of the paper and of the DLPan toolbox [dlpan];
    "unipan" is the same network, run on a bilinear `ms_up` with aligned corners. "panbench" is what PanBench
    runs under the name: plain layers without skips, whose outputs (of the head, and in each block of the first
    convolution, the ReLU and the second convolution) are all summed before the last convolution, which gives
    the image.
    """

    inputs = ("ms_up", "pan")
    multiple = 1

    def __init__(self, bands: int, ratio: int = 4, *, form: str = "original", width: int = 32, blocks: int = 4):
        super().__init__()
        self.form = check_form("fusionnet", form, ("original", "unipan", "panbench"))
        self.predicts = "image" if form == "panbench" else "residual"
        self.halo = 2 + 2 * blocks
        self.head = nn.Sequential(nn.Conv2d(bands, width, 3, padding=1), nn.ReLU())
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        self.tail = nn.Conv2d(width, bands, 3, padding=1)

    def forward(self, ms: Tensor, ms_up: Tensor, pan: Tensor) -> Tensor:
        features = self.head(pan - ms_up)
        return self.tail(self._sum_of_layers(features) if self.form == "panbench" else self.blocks(features))

    def _sum_of_layers(self, x: Tensor) -> Tensor:
        total = x
        for block in self.blocks:
            for layer in block.children():
                x = layer(x)
                total = total + x
        return total

    KEYS = (
        (r"^res\d\.", None),  # DLPan stores the blocks twice, as res1..4 and as backbone.0..3
        (r"^backbone\.(\d)\.conv20\.", r"blocks.\1.conv1."),
        (r"^backbone\.(\d)\.conv21\.", r"blocks.\1.conv2."),
        (r"^conv1\.", "head.0."),
        (r"^conv3\.", "tail."),
        (r"^pan_concat\.", "head."),  # PanBench: one list of convolution, ReLU, convolution, ...
        (r"^output_layer\.", "tail."),
        *(
            (rf"^residual_blocks\.{3 * block + 2 * i}\.", f"blocks.{block}.conv{i + 1}.")
            for block in range(4)
            for i in range(2)
        ),
    )
