"""Inference backends: what computes a network's answers, plain torch, torch in bfloat16, OpenVINO or ONNX Runtime. A
backend is a file here that has `missing()`, the sentence why it cannot be used (None: it can), and `Backend(network)`,
called as the network is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from panflow import registry
from panflow.errors import MissingInput
from panflow.types import Network

if TYPE_CHECKING:
    from panflow.learned.runtime._backend import Backend

DEFAULT = "auto"


def names() -> tuple[str, ...]:
    """What `--runtime` takes."""
    return (DEFAULT, *registry.names("runtimes"))


def backend(name: str, network: Network, evaluations: int = 1) -> Backend:
    """A backend for a network on the CPU; evaluations: of the network by a prediction.

    "auto" is what measured fastest and holds the quality (docs/evidence/runtimes.md): bfloat16 where the processor
    computes in it and the network has a form for it (`band_by_band`, which ends in float32), else plain torch, since
    networks without such a form lose up to 3 % in SAM by it.
    Raises UnknownName, and MissingInput for a backend that is not installed.
    """
    registry.closest("runtime", name, names())
    if name == DEFAULT:
        half = network.band_by_band is not None and evaluations == 1 and not registry.get("runtimes", "bf16").missing()
        name = "bf16" if half else "torch"
    module = registry.get("runtimes", name)
    if reason := module.missing():
        raise MissingInput(reason)
    return module.Backend(network)
