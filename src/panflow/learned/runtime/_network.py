"""What runtimes share: a network that somebody else asks, drawn inputs, and how far two answers are apart."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from panflow import types
from panflow.learned.inputs import shape
from panflow.ops.memory import keep_freed
from panflow.ops.window import Core
from panflow.types import NOTHING, Network

Inputs = dict[str, Tensor | None]


class Asked(types.Network, nn.Module):
    """A network whose answers come from elsewhere; it declares what the network declares."""

    frugally = False  # whether it takes one band after the other

    def __init__(self, network: Network):
        super().__init__()
        self.network = network
        self.inputs = network.inputs
        self.multiple = network.multiple
        self.halo = network.halo
        self.predicts = network.predicts
        self.denoiser = network.denoiser
        self.estimates = network.estimates

    def within(self, core: Core) -> Asked:
        """The same, where only a part of the answer is wanted."""
        return self


class InTorch(Asked):
    """A network in a number format of torch, channels last; on a CPU band after band where it has that form
    (`frugal`)."""

    def __init__(self, network: Network, dtype: torch.dtype):
        super().__init__(network)
        keep_freed()
        self.copy = copy.deepcopy(network).eval()
        self.copy.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.device = next(iter(network.parameters())).device.type
        frugal = self.copy.frugal if self.device == "cpu" else None
        if frugal is not None:
            self.copy.to(dtype)  # which casts its inputs itself
        self.frugally = frugal is not None
        self.form: Callable[..., Tensor] = frugal or self.copy
        self.mixed = dtype if frugal is None and dtype != torch.float32 else None

    def within(self, core: Core) -> Asked:
        return _Within(self, core) if self.frugally else self

    def forward(self, *state: Tensor, **inputs: Tensor) -> Tensor:
        with torch.autocast(self.device, self.mixed or torch.bfloat16, enabled=self.mixed is not None):
            return self.form(*state, **inputs)


class _Within(Asked):
    def __init__(self, engine: InTorch, core: Core):
        super().__init__(engine.network)
        self.form, self.core = engine.form, core

    def forward(self, *state: Tensor, **inputs: Tensor) -> Tensor:
        return self.form(*state, core=self.core, **inputs)


def drawn(network: Network, options: Mapping[str, Any], size: tuple[int, int] = (64, 64)) -> tuple[tuple, Inputs]:
    """Normal inputs of a network of so many PAN pixels, the same at every call: its state at t = 1, and the others by
    name. options: its section of a recipe, for the number of bands (4 where any will do) and the ratio."""
    rng = torch.Generator().manual_seed(0)
    bands, ratio = options.get("bands") or 4, options.get("ratio") or 4
    shapes = {name: shape(name, bands, size, (ratio, ratio)) for name in network.inputs}
    named = {name: torch.randn(1, *each, generator=rng) for name, each in shapes.items()}
    state = (torch.zeros(1, bands, *size), torch.ones(1)) if network.denoiser else ()
    return state, NOTHING | named


def loss(engine: Any, network: Any, asked: tuple[tuple, Inputs]) -> float:
    """Root mean square of the difference of two answers, as a share of that of the network's."""
    state, inputs = asked
    with torch.inference_mode():
        truth, found = (one(*state, **inputs).float() for one in (network, engine))
    return float((found - truth).square().mean().sqrt() / truth.square().mean().sqrt().clamp_min(1e-12))
