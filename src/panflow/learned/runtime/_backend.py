"""What inference backends share: a module that answers in a network's stead, random inputs, and how far two answers
are apart."""

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

Images = dict[str, Tensor | None]


class Backend(types.Network, nn.Module):
    """Answers as the network does, and declares what it declares. band_by_band: where answers are computed so."""

    def __init__(self, network: Network):
        super().__init__()
        self.network = network
        self.inputs = network.inputs
        self.multiple = network.multiple
        self.halo = network.halo
        self.predicts = network.predicts
        self.denoiser = network.denoiser
        self.estimates = network.estimates

    def within(self, core: Core) -> Backend:
        """The same, which need be right in a part of the answer alone."""
        return self


class InTorch(Backend):
    """A network in a number format of torch, channels last; on a CPU band after band where it has that form."""

    def __init__(self, network: Network, dtype: torch.dtype):
        super().__init__(network)
        keep_freed()
        self.copy = copy.deepcopy(network).eval()
        self.copy.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.device = next(iter(network.parameters())).device.type
        self.band_by_band = self.copy.band_by_band if self.device == "cpu" else None
        self.form: Callable[..., Tensor] = self.band_by_band or self.copy
        if self.band_by_band:
            self.copy.to(dtype)  # this form casts its inputs itself
        self.mixed = None if self.band_by_band or dtype == torch.float32 else dtype

    def within(self, core: Core) -> Backend:
        return _Within(self, core) if self.band_by_band else self

    def forward(self, *state: Tensor, **inputs: Tensor) -> Tensor:
        with torch.autocast(self.device, self.mixed or torch.bfloat16, enabled=self.mixed is not None):
            return self.form(*state, **inputs)


class _Within(Backend):
    def __init__(self, backend: InTorch, core: Core):
        super().__init__(backend.network)
        self.form = backend.form
        self.core = core

    def forward(self, *state: Tensor, **inputs: Tensor) -> Tensor:
        return self.form(*state, core=self.core, **inputs)


def random_inputs(
    network: Network, options: Mapping[str, Any], size: tuple[int, int] = (64, 64)
) -> tuple[tuple[Tensor, ...], Images]:
    """Normal inputs of a network of so many PAN pixels, the same at every call: its state at t = 1, and the others by
    name. options: its section of a recipe, for the number of bands (4 where any will do) and the ratio."""
    rng = torch.Generator().manual_seed(0)
    bands = options.get("bands") or 4
    ratio = options.get("ratio") or 4
    shapes = {name: shape(name, bands, size, (ratio, ratio)) for name in network.inputs}
    images = {name: torch.randn(1, *each, generator=rng) for name, each in shapes.items()}
    state = (torch.zeros(1, bands, *size), torch.ones(1)) if network.denoiser else ()
    return state, NOTHING | images


def difference(backend: Callable[..., Tensor], network: Network, state: tuple[Tensor, ...], inputs: Images) -> float:
    """Root mean square of the difference of two answers, as a share of that of the network's."""
    with torch.inference_mode():
        expected = network(*state, **inputs).float()
        answer = backend(*state, **inputs).float()
    return float((answer - expected).square().mean().sqrt() / expected.square().mean().sqrt().clamp_min(1e-12))
