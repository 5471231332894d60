"""Who asks a network: plain torch, torch in bfloat16, OpenVINO or ONNX Runtime. A runtime is a file here that has
`missing()`, the sentence why it cannot be used (None: it can), and `Engine(network)`, called as the network is."""

from typing import Any

from panflow import registry
from panflow.errors import MissingInput

DEFAULT = "auto"


def names() -> tuple[str, ...]:
    """What `--runtime` takes."""
    return (DEFAULT, *registry.names("runtimes"))


def runtime(name: str, network: Any, evaluations: int = 1) -> Any:
    """An engine for a network on the CPU; evaluations: how often a prediction asks it.

    "auto" is what measured fastest and holds the quality (docs/evidence/runtimes.md): bfloat16 where the processor
    computes in it and the network has a form for it (`frugal`, which ends in float32), else plain torch, since networks
    that were not made for bfloat16 lose up to 3 % in SAM by it.
    Raises UnknownName, and MissingInput for a runtime that is not there.
    """
    registry.closest("runtime", name, names())
    if name == DEFAULT:
        half = network.frugal is not None and evaluations == 1 and not registry.get("runtimes", "bf16").missing()
        name = "bf16" if half else "torch"
    module = registry.get("runtimes", name)
    if missing := module.missing():
        raise MissingInput(missing)
    return module.Engine(network)
