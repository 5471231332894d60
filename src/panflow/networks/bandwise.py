"""Bandwise: one small network for any number of bands of any sensor, started at the MTF-GLP injection."""

from typing import cast

import torch
from torch import Tensor, nn

from panflow import types
from panflow.networks._post_ops import conv_add_, conv_relu
from panflow.ops.window import Core, grown

PLANES = ("level", "low", "detail", "gentle_detail", "proportion", "local_gain", "local_correlation", "substitution")
SCENE = ("sharpness", "fine_gain", "fine_correlation")
STEM = (*PLANES, "ms_up", *SCENE)  # inputs of a band that the stem takes as they come
OPTICS = ("returned", "blur", "full_detail")  # what it takes besides with `optics`
ENDS = 3  # maps that make up the answer
STRIP = 96  # rows that the head takes at once, which stay in the cache


class Block(nn.Module):
    """h + conv(ReLU(conv(h))), the first convolution dilated."""

    def __init__(self, width: int, dilation: int):
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        with torch.no_grad():
            self.second.weight.mul_(0.3)  # a stack without normalisation starts near the identity

    def forward(self, h: Tensor) -> Tensor:
        return self.second(self.first(h).relu_()).add_(h)

    def in_place(self, h: Tensor) -> Tensor:
        """The same in the place of h, without gradients."""
        return conv_add_(h, self.second, conv_relu(self.first, h))


class Exchange(nn.Module):
    """h + mix(mean of h over the image's bands), a 1x1 convolution: bands meet in their mean only."""

    def __init__(self, width: int):
        super().__init__()
        self.mix = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.mix.weight)

    def forward(self, h: Tensor, bands: int) -> Tensor:
        last = h.permute(0, 2, 3, 1).unflatten(0, (-1, bands))  # contiguous where h is channels_last
        return (last + self.mix(last.mean(1, keepdim=True))).flatten(0, 1).permute(0, 3, 1, 2)


class Network(types.Network, nn.Module):
    """Answer = a + (b + correlation) * detail + c * substitution: maps a, b, c from residual blocks with weights shared
    by all bands.

    Bands are folded into the batch; what a band knows of the others is symmetric (means over bands), so the
    order and number of bands do not matter. Inputs are free of the sensor's units (`panflow.learned.inputs`). The last
    layer starts at zero: an untrained network is the MTF-GLP injection with the scene's regression gain. The
    state x [B, C, H, W] (in units of the answer) and time t [B] are those of a flow; without one, x = 0, t = 1.

    bands and ratio may be anything. optics: whether it sees how MS is blurred, what back-projection would return, and
    how sharp the answer is to be. 2 x 9 x width² x 2 x blocks FLOP and some per PAN pixel and band.
    """

    inputs: tuple[str, ...] = ("ms_up", "pan", *PLANES, "correlation", *SCENE)
    multiple = 1
    denoiser = True
    tuned = ("exchange", "head")
    predicts = "residual"

    def __init__(
        self,
        bands: int | None = None,
        ratio: float = 4,
        *,
        width: int = 32,
        dilations: tuple = (1, 2, 2, 1),
        optics: bool = False,
    ):
        super().__init__()
        self.optics = OPTICS if optics else ()
        self.inputs = (*type(self).inputs, *self.optics)
        self.halo = 2 + sum(dilations) + len(dilations)
        late = dilations[len(dilations) // 2 :]
        self.late_halo = 1 + sum(late) + len(late)  # of what comes after bands have met
        self.stem = nn.Conv2d(len(STEM) + 5 + len(self.optics), width, 3, padding=1)
        self.blocks = nn.ModuleList(Block(width, d) for d in dilations)
        self.exchange = Exchange(width)
        self.head = nn.Conv2d(width, ENDS, 3, padding=1)
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, t: Tensor, *, pan: Tensor, correlation: Tensor, **inputs: Tensor) -> Tensor:
        bands = x.shape[1]
        planes = [plane.expand_as(x) for plane in self._planes(x, t, pan, correlation, inputs)]
        h = torch.stack(planes, -1).flatten(0, 1).permute(0, 3, 1, 2)  # channels_last, bands folded into the batch
        h = self.stem(h)
        for k, block in enumerate(self.blocks):
            h = block(self.exchange(h, bands) if k == len(self.blocks) // 2 else h)
        a, b, c = self.head(h.relu()).float().unflatten(0, (-1, bands)).unbind(2)
        return a + (b + correlation) * inputs["detail"] + c * inputs["substitution"]

    @torch.no_grad()
    def band_by_band(
        self,
        x: Tensor,
        t: Tensor,
        *,
        pan: Tensor,
        correlation: Tensor,
        core: Core | None = None,
        **inputs: Tensor,
    ) -> Tensor:
        """The same answer, one band after the other: what lies between layers then stays in a processor's cache.

        core: the part of the answer that is wanted; the rest is zero.
        """
        dtype = self.stem.weight.dtype
        middle = len(self.blocks) // 2
        planes = [plane.expand(x.shape) for plane in self._planes(x, t, pan, correlation, inputs)]
        members, bands, height, width = x.shape
        top, bottom, left, right = grown(core or (0, height, 0, width), self.late_halo, (height, width))
        rows, columns = slice(top, bottom), slice(left, right)  # that the second half needs
        stacked = torch.empty(1, len(planes), height, width, dtype=dtype)
        answer = torch.zeros_like(inputs["detail"])
        for member in range(members):
            maps: list[Tensor] = []
            for band in range(bands):
                for k, plane in enumerate(planes):
                    stacked[0, k] = plane[member, band]
                h = self.stem(stacked)
                for block in self.blocks[:middle]:
                    h = cast(Block, block).in_place(h)
                maps.append(h)
            mean = maps[0] / bands
            for h in maps[1:]:
                mean.add_(h, alpha=1 / bands)
            met = self.exchange.mix(mean[..., rows, columns].permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            for band, h in enumerate(maps):
                h = h[..., rows, columns] + met
                for block in self.blocks[middle:]:
                    h = cast(Block, block).in_place(h)
                a, b, c = self._ends(h)
                place = member, band, rows, columns
                injected = torch.addcmul(a, b + correlation[member, band], inputs["detail"][place])
                answer[place] = injected.addcmul_(c, inputs["substitution"][place])
        return answer

    def _ends(self, h: Tensor) -> Tensor:
        """The head of one band's map [1, width, H, W], of which ReLU is taken in place, as [3, H, W]: what each of its
        nine taps gives, moved and summed, which is two thirds faster than a convolution to so few channels."""
        weight = self.head.weight.permute(2, 3, 0, 1).flatten(0, 2)
        height, width = h.shape[2:]
        ends = cast(Tensor, self.head.bias).float()[:, None, None].repeat(1, height + 2, width + 2)
        for top in range(0, height, STRIP):
            rows = h[0, :, top : top + STRIP].permute(1, 2, 0).relu_()
            given = (weight @ rows.flatten(0, 1).t()).unflatten(1, rows.shape[:2]).unflatten(0, (3, 3, ENDS))
            for i in range(3):
                for j in range(3):
                    ends[:, top + 2 - i : top + 2 - i + len(rows), 2 - j : 2 - j + width] += given[i, j]
        return ends[:, 1:-1, 1:-1]

    def _planes(
        self, x: Tensor, t: Tensor, pan: Tensor, correlation: Tensor, inputs: dict[str, Tensor]
    ) -> list[Tensor]:
        """What the stem sees of a band, each [B, 1 or C, 1 or H, 1 or W]."""
        level = inputs["level"]
        shared = [level.mean(1, keepdim=True), pan, correlation, x, t.to(level).reshape(-1, 1, 1, 1)]
        return [*(inputs[name] for name in STEM), *shared, *(inputs[name] for name in self.optics)]
