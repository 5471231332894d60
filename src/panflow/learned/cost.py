"""What a network costs, counted without computing anything: on torch's meta device."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from panflow import registry
from panflow.learned.inputs import shape
from panflow.types import IMAGES


@dataclass(frozen=True)
class Cost:
    """parameters that are trained; multiply: 1e9 multiply-adds of convolutions and matrix products for one PAN image
    of 256 x 256 (no FFT, nothing element-wise), of one evaluation; halo: as the network declares it."""

    parameters: int
    multiply: float
    halo: int | None


def cost(name: str, bands: int, size: int = 256, **options: Any) -> Cost:
    """The cost of a network for so many bands at ratio 4."""
    make = registry.get("networks", name).Network
    with torch.device("meta"):
        network = make(bands, **options).eval()
        names = {*network.inputs, *IMAGES}
        inputs = {key: torch.empty(1, *shape(key, bands, (size, size), (4, 4))) for key in names}
        state = (torch.empty(1, bands, size, size), torch.ones(1)) if network.denoiser else ()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(*state, **inputs)
    parameters = sum(p.numel() for p in network.parameters() if p.requires_grad)
    return Cost(parameters, counter.get_total_flops() / 2e9, network.halo)


def paper(name: str) -> str:
    """The key of a network's paper: the first that its description cites ("ours" where it cites none)."""
    module = registry.get("networks", name)
    citation = re.search(r"\[([a-z]\w+)\]", f"{module.__doc__} {inspect.getdoc(module.Network)}")
    return citation[1] if citation else "ours"
