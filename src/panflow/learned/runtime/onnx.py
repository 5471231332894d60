"""ONNX Runtime: runs the ONNX file that `panflow export` writes, in float32."""

from collections.abc import Callable
from importlib.util import find_spec

import torch
from torch import Tensor

from panflow.learned.runtime._graph import Compiled, onnx_bytes
from panflow.types import Network


def missing() -> str | None:
    absent = [name for name in ("onnx", "onnxruntime") if not find_spec(name)]
    return f'{" and ".join(absent)} not installed: pip install "panflow[onnx]"' if absent else None


class Engine(Compiled):
    def __init__(self, network: Network):
        super().__init__(network, lambda named: session(onnx_bytes(network, named)))


def session(file: bytes) -> Callable[[list[Tensor]], Tensor]:
    """The graph of an ONNX file as a function of its inputs in order. One thread each: callers come in several."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    run = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    names = [given.name for given in run.get_inputs()]

    def ask(tensors: list[Tensor]) -> Tensor:
        found = run.run(None, {name: t.numpy() for name, t in zip(names, tensors)})
        return torch.from_numpy(found[0])

    return ask
