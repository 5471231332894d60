"""A network as a graph of tensors: what the engines outside torch are given."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from typing import Any

import torch
from torch import Tensor, nn

from panflow.learned.runtime._network import Asked
from panflow.types import NOTHING, Network

Shapes = tuple[tuple[int, ...], ...]
OPSET = 17


def order(network: Network) -> tuple[str, ...]:
    """The graph's inputs: state and time of a network that has them, then what it asks for."""
    return (("x", "t") if network.denoiser else ()) + tuple(network.inputs)


class Plain(nn.Module):
    """The network of positional tensors, in `order`."""

    def __init__(self, network: Network):
        super().__init__()
        self.network = network

    def forward(self, *tensors: Tensor) -> Tensor:
        named = dict(zip(order(self.network), tensors))
        state = [named.pop(name) for name in ("x", "t") if name in named]
        return self.network(*state, **(NOTHING | named))


def traced(network: Network, tensors: Iterable[Tensor]) -> torch.jit.ScriptModule:
    """What torch does with tensors of these shapes."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shapes that Python sees become constants, which is meant
        return torch.jit.trace(Plain(network), tuple(torch.ones_like(t) for t in tensors), check_trace=False)


def onnx_bytes(network: Network, tensors: Mapping[str, Tensor], any_size: bool = False) -> bytes:
    """An ONNX file of the network, which answers [B, C, H, W]; inputs as in `order`. any_size: of any height and width
    (true only for networks that ask nowhere how large the image is)."""
    fine = max(t.shape[-1] for t in tensors.values())
    axes = {
        name: ({2: "h", 3: "w"} if t.shape[-1] < fine else {2: "H", 3: "W"})
        for name, t in tensors.items()
        if t.ndim == 4 and t.shape[-1] > 1
    }
    file: Any = io.BytesIO()  # torch takes it, though its types do not say so
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Plain(network).eval(),
            tuple(tensors.values()),
            file,
            input_names=list(tensors),
            output_names=["answer"],
            dynamic_axes=axes | {"answer": {2: "H", 3: "W"}} if any_size else None,
            opset_version=OPSET,
            dynamo=False,
        )
    return file.getvalue()


class Compiled(Asked):
    """A network that is compiled for every shape of its inputs, by `make(tensors by name)`, when first asked so."""

    def __init__(self, network: Network, make: Callable[[dict[str, Tensor]], Callable[[list[Tensor]], Tensor]]):
        super().__init__(network)
        self._make, self._lock = make, Lock()
        self._made: dict[Shapes, Callable[[list[Tensor]], Tensor]] = {}

    def forward(self, *state: Tensor, **inputs: Tensor) -> Tensor:
        named = dict(zip(order(self.network), (*state, *(inputs[name] for name in self.inputs))))
        shapes = tuple(tuple(t.shape) for t in named.values())
        with self._lock:
            if shapes not in self._made:
                self._made[shapes] = self._make(named)
        return self._made[shapes]([t.contiguous() for t in named.values()])
