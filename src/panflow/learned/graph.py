"""A network as a graph: an ONNX file of `panflow export`, which ONNX Runtime computes in float32, without torch.

The file says what the network declares, and the model that it was exported from, so that it is a model by itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np

from panflow import registry
from panflow.learned.model import Model
from panflow.types import Batch, Network, Objective

METADATA = "panflow"  # the key of what a file says, as JSON
DECLARED = ("inputs", "multiple", "halo", "predicts", "denoiser")  # of a network


def session(file: bytes) -> Callable[[list[np.ndarray]], np.ndarray]:
    """An ONNX file as a function of its inputs in order. One thread each: callers come in several."""
    run = _opened(file)
    names = [graph_input.name for graph_input in run.get_inputs()]
    return lambda arrays: run.run(None, dict(zip(names, arrays)))[0]


def open_graph(path: Path, seed: int = 0) -> Model:
    """The model of an ONNX file that `panflow export` wrote of a model that is asked once."""
    network = Graph(path.read_bytes())
    recipe = network.metadata["recipe"]
    options = dict(recipe["transform"])
    transform = registry.get("transforms", options.pop("name")).Transform(**options)
    objective = cast(Objective, Once())
    return Model(cast(Network, network), transform, objective, recipe, network.metadata["info"], seed=seed)


class Graph:
    """What a network is to a model, of NumPy's arrays; pickled as its file. metadata: as `describe` made them."""

    in_torch = False
    band_by_band = None

    def __init__(self, file: bytes):
        self.file = file
        self._run = _opened(file)
        self._names = [graph_input.name for graph_input in self._run.get_inputs()]
        self.metadata: dict[str, Any] = json.loads(self._run.get_modelmeta().custom_metadata_map[METADATA])
        self.digest = self.metadata["weights"]
        for name in DECLARED:
            setattr(self, name, self.metadata["network"][name])

    def __reduce__(self) -> tuple:
        return Graph, (self.file,)

    def __call__(self, **inputs: np.ndarray) -> np.ndarray:
        return self._run.run(None, {name: inputs[name] for name in self._names})[0]


class Once:
    """What an objective is to a model whose answer is that at the start: state 0, time 1."""

    evaluations = 1

    def predict(self, network: Graph, batch: Batch, noise: Any = None) -> np.ndarray:
        state: Any = np.zeros_like(batch.ms_up)
        inputs: dict[str, Any] = {**batch.inputs}
        return network(x=state, t=np.ones(len(state), state.dtype), **inputs)


def describe(model: Model, **more: str) -> str:
    """What a file says of its model and network."""
    network = {name: getattr(model.network, name) for name in DECLARED}
    return json.dumps({"network": network, "recipe": model.recipe, "info": model.info, **more})


def _opened(file: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
