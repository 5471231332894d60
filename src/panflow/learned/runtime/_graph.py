"""A network as a graph of tensors: what backends outside torch are given."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from typing import Any

import torch
from torch import Tensor, nn

from panflow.learned.runtime._backend import Backend
from panflow.types import NOTHING, Network

Shapes = tuple[tuple[int, ...], ...]
OPSET = 17


def order(network: Network) -> tuple[str, ...]:
    """The graph's inputs: state and time of a network that has them, then the network's."""
    return (("x", "t") if network.denoiser else ()) + tuple(network.inputs)


class Plain(nn.Module):
    """The network of positional tensors, in `order`."""

    def __init__(self, network: Network):
        super().__init__()
        self.network = network

    def forward(self, *tensors: Tensor) -> Tensor:
        inputs = dict(zip(order(self.network), tensors))
        state = [inputs.pop(name) for name in ("x", "t") if name in inputs]
        return self.network(*state, **(NOTHING | inputs))


def traced(network: Network, tensors: Iterable[Tensor]) -> torch.jit.ScriptModule:
    """What torch does with tensors of these shapes."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shapes that Python sees become constants, which is meant
        return torch.jit.trace(Plain(network), tuple(torch.ones_like(t) for t in tensors), check_trace=False)


def onnx_bytes(
    network: Network, tensors: Mapping[str, Tensor], any_size: bool = False, any_bands: bool = False
) -> bytes:
    """An ONNX file of the network, which answers [B, C, H, W]; inputs as in `order`. any_size: of any height and width
    (true only for networks whose layers nowhere depend on how large the image is); any_bands: of any B and C."""
    fine = max(t.shape[-1] for t in tensors.values())

    def axes(t: Tensor) -> dict[int, str]:
        names = {0: "B"} if any_bands else {}
        if any_bands and t.ndim == 4 and t.shape[1] > 1:
            names[1] = "C"
        if any_size and t.ndim == 4 and t.shape[-1] > 1:
            names |= {2: "h", 3: "w"} if t.shape[-1] < fine else {2: "H", 3: "W"}
        return names

    answer = ({0: "B", 1: "C"} if any_bands else {}) | ({2: "H", 3: "W"} if any_size else {})
    file: Any = io.BytesIO()  # torch takes it, though its types do not say so
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Plain(network).eval(),
            tuple(tensors.values()),
            file,
            input_names=list(tensors),
            output_names=["answer"],
            dynamic_axes={name: axes(t) for name, t in tensors.items()} | {"answer": answer},
            opset_version=OPSET,
            dynamo=False,
        )
    return file.getvalue()


class Compiled(Backend):
    """A network that is compiled for every shape of its inputs when first called so, by `compile(tensors by name)`."""

    def __init__(self, network: Network, compile: Callable[[dict[str, Tensor]], Callable[[list[Tensor]], Tensor]]):
        super().__init__(network)
        self._compile = compile
        self._lock = Lock()
        self._compiled: dict[Shapes, Callable[[list[Tensor]], Tensor]] = {}

    def forward(self, *state: Tensor, **inputs: Tensor) -> Tensor:
        tensors = dict(zip(order(self.network), (*state, *(inputs[name] for name in self.inputs))))
        shapes = tuple(tuple(t.shape) for t in tensors.values())
        with self._lock:
            if shapes not in self._compiled:
                self._compiled[shapes] = self._compile(tensors)
        return self._compiled[shapes]([t.contiguous() for t in tensors.values()])
