"""OpenVINO: compiles a network for the processor; in bfloat16 where it has that and the network a form for it."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from panflow.learned.runtime import bf16
from panflow.learned.runtime._graph import Compiled, traced
from panflow.ops.cores import available
from panflow.types import Network


def missing() -> str | None:
    return None if find_spec("openvino") else 'OpenVINO is not installed: pip install "panflow[openvino]"'


class Backend(Compiled):
    def __init__(self, network: Network):
        half = network.band_by_band is not None and not bf16.missing()
        threads = available()
        # a stream a core: callers come in several threads
        hints = {"INFERENCE_PRECISION_HINT": "bf16" if half else "f32", "NUM_STREAMS": threads}
        self._hints: dict[str, Any] = {**hints, "INFERENCE_NUM_THREADS": threads}
        super().__init__(network, self._graph)

    def _graph(self, inputs: dict[str, Tensor]) -> Callable[[list[Tensor]], Tensor]:
        import openvino

        tensors = tuple(inputs.values())
        graph = openvino.convert_model(traced(self.network, tensors), example_input=tensors)
        graph.reshape({port: list(t.shape) for port, t in zip(graph.inputs, tensors)})
        compiled = openvino.Core().compile_model(graph, "CPU", self._hints)

        def answer(tensors: list[Tensor]) -> Tensor:
            request = compiled.create_infer_request()
            request.infer([t.numpy() for t in tensors], share_inputs=True)
            return torch.from_numpy(request.get_output_tensor().data.copy())

        return answer
