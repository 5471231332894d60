"""What runtimes share: a network that somebody else asks, drawn inputs, and how far two answers are apart."""

from __future__ import annotations

import copy
import ctypes
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from panflow.inputs import NOTHING

Inputs = dict[str, Tensor | None]
KEPT = 2**28  # bytes of freed memory that stay with the process


class Asked:
    """A network whose answers come from elsewhere; whatever else one wants to know, the network tells."""

    def __init__(self, network: nn.Module):
        self.network = network

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["network"], name)


class InTorch(Asked):
    """A network in a number format of torch, channels last, band after band where it has that form (`frugal`)."""

    def __init__(self, network: nn.Module, dtype: torch.dtype):
        super().__init__(network)
        keep_memory()
        self.copy = copy.deepcopy(network).eval()
        self.copy.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        frugal = getattr(self.copy, "frugal", None)
        if frugal is not None:
            self.copy.to(dtype)  # which casts its inputs itself
        self.frugally = frugal is not None
        self.form: Callable[..., Tensor] = frugal or self.copy
        self.mixed = dtype if frugal is None and dtype != torch.float32 else None

    def __call__(self, *state: Tensor, **inputs: Tensor) -> Tensor:
        with torch.autocast("cpu", self.mixed or torch.bfloat16, enabled=self.mixed is not None):
            return self.form(*state, **inputs)


@cache
def keep_memory() -> None:
    """Tells glibc to keep freed memory: maps of some MiB, taken from the system anew for every layer, cost a fifth of
    the time in page faults. Elsewhere nothing happens."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    trim, map_from, arenas = -1, -3, -8  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX
    for option, value in ((trim, KEPT), (map_from, KEPT), (arenas, 1)):
        mallopt(option, value)


def drawn(network: Any, options: Mapping[str, Any], size: tuple[int, int] = (64, 64)) -> tuple[tuple, Inputs]:
    """Normal inputs of a network of so many PAN pixels, the same at every call: its state at t = 1, and the others by
    name. options: its section of a recipe, for the number of bands (4 where any will do) and the ratio."""
    rng = torch.Generator().manual_seed(0)
    bands, ratio = options.get("bands") or 4, options.get("ratio") or 4
    coarse = tuple(-(-n // round(ratio)) for n in size)
    shapes = {"ms": (bands, *coarse), "pan": (1, *size), "correlation": (bands, 1, 1)}
    named = {name: torch.randn(1, *shapes.get(name, (bands, *size)), generator=rng) for name in network.inputs}
    state = (torch.zeros(1, bands, *size), torch.ones(1)) if getattr(network, "denoiser", False) else ()
    return state, NOTHING | named


def loss(engine: Any, network: Any, asked: tuple[tuple, Inputs]) -> float:
    """Root mean square of the difference of two answers, as a share of that of the network's."""
    state, inputs = asked
    with torch.inference_mode():
        truth, found = (one(*state, **inputs).float() for one in (network, engine))
    return float((found - truth).square().mean().sqrt() / truth.square().mean().sqrt().clamp_min(1e-12))
