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


class Backend(Compiled):
    def __init__(self, network: Network):
        super().__init__(network, lambda tensors: session(onnx_bytes(network, tensors)))


def session(file: bytes) -> Callable[[list[Tensor]], Tensor]:
    """The graph of an ONNX file as a function of its inputs in order. One thread each: callers come in several."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    run = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    names = [graph_input.name for graph_input in run.get_inputs()]

    def answer(tensors: list[Tensor]) -> Tensor:
        outputs = run.run(None, {name: t.numpy() for name, t in zip(names, tensors)})
        return torch.from_numpy(outputs[0])

    return answer
