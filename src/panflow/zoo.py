"""Sharpeners by name: a classical method, a bundled model, or a model file."""

import re
from dataclasses import dataclass, fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from panflow import registry
from panflow.errors import InputError, MissingInput, needing
from panflow.methods._injection import UNFITTED
from panflow.ops.consistency import Consistent
from panflow.types import Progress, Sharpener

DEFAULT = "bandwise"  # the bundled model that measured best on sensors it never saw (docs/evidence/default.md)
DEVICES = r"auto|(cpu|cuda|mps|xpu)(:\d+)?"


def load(
    name: str | Path | None = None,
    *,
    device: str = "auto",
    context: int | None = None,
    seed: int = 0,
    runtime: str | None = None,
    detail: str = "pan",
    adapt: float | None = None,
    adapter: str | Path | None = None,
    save_adapter: str | Path | None = None,
    consistent: bool = False,
    progress: Progress | None = None,
    **options,
) -> Sharpener:
    """The sharpener of a method's name ("gsa"), a bundled model's name or a path that ends in .safetensors.

    `options` are the method's parameters (`load("brovey", guard=False)`); `device` is where a learned model
    computes (several, "cuda:0,cuda:1", share the tiles of a scene; classical methods compute where their arrays are),
    `context` what a network that looks at the whole image sees around a tile (None: the whole image), `seed` that of
    the noise where a model starts from noise, `runtime` the inference backend of its network on a CPU (`panflow names
    runtimes`; None: in float32, by torch, or by ONNX Runtime where torch is not installed), `detail` how sharp a
    model's answer is that can be asked for both: "pan", as PAN, or "ms", as the MS sensor would give it on PAN's grid,
    which reduced resolution (Wald's protocol) rewards. A learned model is tuned to the scene that it is fitted to where
    `adapt` gives the seconds for it (`learned.adapt`); `save_adapter` keeps the weights that this changes in a file,
    and `adapter` takes them from one; `progress` hears the seconds gone, of how many, and the terms that tuning lowers.
    `consistent` adds to every answer what it lacks of MS (`ops.consistency`).
    """
    if consistent:
        asked: dict[str, Any] = {
            "device": device,
            "context": context,
            "seed": seed,
            "runtime": runtime,
            "detail": detail,
        }
        asked |= {"adapt": adapt, "adapter": adapter, "save_adapter": save_adapter, "progress": progress}
        return Consistent(load(name, **asked, **options))
    adaptation = _Adaptation(adapt, adapter, save_adapter, progress)
    registry.closest("detail", detail, ("pan", "ms"))
    name = str(name or DEFAULT)
    for each in str(device).split(","):
        if not re.fullmatch(DEVICES, each):
            raise InputError(f"device {each} cannot be used: expected auto, cpu, cuda or mps")
    registry.closest("runtime", runtime or "auto", ("auto", *registry.names("runtimes")))
    if options and (name.endswith(".safetensors") or name in registry.names("models")):
        raise InputError(f"{name} has no option {', '.join(options)}: it is a learned model")
    if name.endswith(".safetensors"):
        if not Path(name).is_file():
            raise MissingInput(f"no model file {name}: expected a .safetensors file of `panflow train` or `import`")
        return _open_model(Path(name), device, context, seed, runtime, detail, adaptation)
    if name in registry.names("models"):
        path = registry.path("models", name)
        graph = path.with_suffix(".onnx")
        if graph.is_file() and not adaptation.asked and device in ("auto", "cpu") and _by_graph(runtime):
            from panflow.learned.graph import open_graph

            return replace(open_graph(graph, seed=seed), context=context, detail=detail)
        return _open_model(path, device, context, seed, runtime, detail, adaptation)
    if adaptation.asked:
        raise InputError(f"{name} has no weights to adapt to a scene: expected a learned model, as {DEFAULT}")
    names = registry.names("methods") + registry.names("models")
    method = registry.get("methods", registry.closest("method", name, names)).Method
    allowed = tuple(field.name for field in fields(method) if field.default is not UNFITTED)
    for option in options:
        if not allowed:
            raise InputError(f"the method {name} has no option {option}, nor any other")
        registry.closest(f"option of method {name}", option, allowed)
    return method(**options)


def _by_graph(runtime: str | None) -> bool:
    """Whether ONNX Runtime computes a model that comes as a graph: where it is asked for, or torch is not there."""
    return runtime == "onnx" or (runtime in (None, "auto") and not find_spec("torch"))


@dataclass(frozen=True)
class _Adaptation:
    """How a model is adapted to its scene: seconds to tune it, the files of an adapter to use and of one to keep, and
    what hears how far tuning is; the first three as `load` takes them."""

    seconds: float | None
    adapter: str | Path | None
    save: str | Path | None
    progress: Progress | None

    @property
    def asked(self) -> bool:
        return bool(self.seconds or self.adapter or self.save)


def _open_model(
    path: Path, device: str, context: int | None, seed: int, runtime: str | None, detail: str, adaptation: _Adaptation
) -> Sharpener:
    with needing(f"the model {path.stem}" if runtime in (None, "auto") else f"the runtime {runtime}"):
        from panflow.learned.file import open_model
        from panflow.learned.replicas import Replicas

    runtime = runtime or "torch"
    first, *others = str(device).split(",")
    model = replace(open_model(path, device=first, context=context, seed=seed), detail=detail)
    if adaptation.asked:
        from panflow.files.output import Output
        from panflow.learned import adapt as adapting

        if others:
            raise InputError(f"device {device}: expected one device for a model that is adapted to a scene")
        if adaptation.save and not adaptation.seconds:
            raise InputError("save_adapter: expected adapt as well, with the seconds that adapting may take")
        if adaptation.adapter:
            model = adapting.apply(model, adaptation.adapter)
        if adaptation.seconds:
            kept = Output(adaptation.save) if adaptation.save else None
            return adapting.Adapting(model, adaptation.seconds, runtime, kept, adaptation.progress)
    return Replicas.of(model, [first, *others]).on(runtime) if others else model.on(runtime)
