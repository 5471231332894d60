"""ONNX Runtime: runs the ONNX file that `panflow export` writes, in float32. The default comes with its file
(`learned.graph`); other networks are exported first, for which torch and the package onnx are needed."""

from collections.abc import Callable
from importlib.util import find_spec

import torch
from torch import Tensor

from panflow.learned.graph import session
from panflow.learned.runtime._graph import Compiled, onnx_bytes
from panflow.types import Network


def missing() -> str | None:
    return None if find_spec("onnx") else 'onnx is not installed: pip install "panflow[onnx]"'


class Backend(Compiled):
    def __init__(self, network: Network):
        super().__init__(network, lambda tensors: answer(onnx_bytes(network, tensors)))


def answer(file: bytes) -> Callable[[list[Tensor]], Tensor]:
    """An ONNX file as a function of its inputs in order."""
    run = session(file)
    return lambda tensors: torch.from_numpy(run([t.numpy() for t in tensors]))


def described(file: bytes, key: str, text: str) -> bytes:
    """The ONNX file with a text in its metadata."""
    import onnx

    model = onnx.load_model_from_string(file)
    onnx.helper.set_model_props(model, {key: text})
    return model.SerializeToString()
