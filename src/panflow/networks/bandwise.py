"""Bandwise: one small network for any number of bands of any sensor, started at the MTF-GLP injection."""

import torch
from torch import Tensor, nn

PLANES = ("level", "low", "detail", "gentle_detail", "proportion", "local_gain", "local_correlation", "ms_up")


class Block(nn.Module):
    """h + conv(ReLU(conv(h))), the first convolution dilated."""

    def __init__(self, width: int, dilation: int):
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        with torch.no_grad():
            self.second.weight.mul_(0.3)  # a stack without normalisation starts near the identity

    def forward(self, h: Tensor) -> Tensor:
        return h + self.second(self.first(h).relu_())


class Exchange(nn.Module):
    """h + mix(mean of h over the image's bands), a 1x1 convolution: bands meet in their mean only."""

    def __init__(self, width: int):
        super().__init__()
        self.mix = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.mix.weight)

    def forward(self, h: Tensor, bands: int) -> Tensor:
        last = h.permute(0, 2, 3, 1).unflatten(0, (-1, bands))  # contiguous where h is channels_last
        return (last + self.mix(last.mean(1, keepdim=True))).flatten(0, 1).permute(0, 3, 1, 2)


class Network(nn.Module):
    """Answer = a + (b + correlation) * detail, both maps from residual blocks with weights shared by all bands.

    Bands are folded into the batch; what a band knows of the others is symmetric (means over bands), so the
    order and number of bands do not matter. Inputs are free of the sensor's units (`panflow.inputs`). The last
    layer starts at zero: an untrained network is the MTF-GLP injection with the scene's regression gain. The
    state x [B, C, H, W] (in units of the answer) and time t [B] are those of a flow; without one, x = 0, t = 1.

    bands and ratio may be anything. 2 x 9 x width² x 2 x blocks FLOP and some per PAN pixel and band.
    """

    inputs = ("ms_up", "pan", *PLANES[:-1], "correlation")
    multiple = 1
    denoiser = True
    predicts = "residual"

    def __init__(self, bands: int | None = None, ratio: float = 4, *, width: int = 32, dilations: tuple = (1, 2, 2, 1)):
        super().__init__()
        self.halo = 2 + sum(dilations) + len(dilations)
        self.stem = nn.Conv2d(len(PLANES) + 5, width, 3, padding=1)
        self.blocks = nn.ModuleList(Block(width, d) for d in dilations)
        self.exchange = Exchange(width)
        self.head = nn.Conv2d(width, 2, 3, padding=1)
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, t: Tensor, *, pan: Tensor, correlation: Tensor, **inputs: Tensor) -> Tensor:
        level, detail = inputs["level"], inputs["detail"]
        bands = level.shape[1]
        planes = [inputs[name] for name in PLANES]
        planes += [level.mean(1, keepdim=True).expand_as(level), pan.expand_as(level)]
        planes += [correlation.expand_as(level), x, t.to(level).reshape(-1, 1, 1, 1).expand_as(level)]
        h = torch.stack(planes, -1).flatten(0, 1).permute(0, 3, 1, 2)  # channels_last, bands folded into the batch
        h = self.stem(h)
        for k, block in enumerate(self.blocks):
            h = block(self.exchange(h, bands) if k == len(self.blocks) // 2 else h)
        a, b = self.head(h.relu()).float().unflatten(0, (-1, bands)).unbind(2)
        return a + (b + correlation) * detail
