"""How far a network really looks: the honest value of `halo`."""

import math

import torch
from torch import nn

from panflow.learned.inputs import CONSTANT, shape
from panflow.types import NOTHING


@torch.no_grad()
def measured_halo(network: nn.Module, bands: int, length: int, ratio: int = 4, rows: int = 24) -> int:
    """Largest distance, in PAN pixels, from a changed pixel to an output that changes, along rows and columns.

    A column of one input (or of a denoiser's state) becomes not-a-number, which every sum, product, maximum or softmax
    passes on, however small the weight. In float64, where convolutions are plain matrix products that do not leak
    between pixels. Images are strips of rows x length and length x rows PAN pixels; `length` must exceed twice the
    halo. Every position of the column within the period of the grids is tried. Distances from an MS pixel count from
    the nearest PAN pixel that it covers.
    """
    network = network.double().eval()
    period = math.lcm(network.multiple, ratio if "ms" in network.inputs else 1)
    named = {name: torch.rand(1, *shape(name, bands, (rows, length), (ratio, ratio))) for name in network.inputs}
    if network.denoiser:
        named["state"] = torch.rand(1, bands, rows, length)
    farthest = 0
    for name in named.keys() - set(CONSTANT):
        step = ratio if name == "ms" else 1
        for start in range(0, period, step):
            first = length // 2 // period * period + start
            for turned in (False, True):
                images = {key: image.double() for key, image in named.items()}
                images[name] = images[name].clone()
                images[name][..., first // step] = math.nan
                if turned:
                    images = {key: image.mT.contiguous() for key, image in images.items()}
                state = (images.pop("state"), torch.ones(1, dtype=torch.float64)) if network.denoiser else ()
                fused = network(*state, **NOTHING | images)
                changed = (fused.mT if turned else fused).isnan().any(2).flatten(0, 1).any(0).nonzero().flatten()
                farthest = max(farthest, first - int(changed[0]), int(changed[-1]) - (first + step - 1))
    return farthest
