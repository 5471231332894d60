"""Model files: safetensors that hold a network's weights, the transform's tables and, as JSON, the recipe's sections
network, transform and objective, what there is to say of the training (`info`) and the sensor."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from panflow import __version__, registry
from panflow.errors import InputError, UnknownName
from panflow.files.output import Output
from panflow.learned.limits import RANGES, require_room
from panflow.learned.model import Model
from panflow.learned.weights import require_finite, take, take_tables
from panflow.settings import arguments
from panflow.types import Band, Network, Objective, Sensor, Transform

T = TypeVar("T")
RENAMED = {"consistency": "back_projection"}  # keys of recipes in files of panflow 0.1


def build(recipe: Mapping[str, Any], info: dict[str, Any] | None = None, sensor: Sensor | None = None) -> Model:
    """A model of fresh weights from a recipe's sections network, transform and objective.

    Raises UnknownName for names and options that do not exist, InputError for values of another kind or out of range.
    """
    sections: dict[str, Any] = {kind: _section(recipe, kind) for kind in ("network", "transform", "objective")}
    network = _network(**sections["network"])
    network.eval()
    transform = _transform(**sections["transform"])
    objective = _objective(**sections["objective"])
    for key, kinds in {"phase": (int, float), "back_projection": (int,)}.items():
        if (value := recipe.get(key)) is not None:
            if not isinstance(value, kinds) or isinstance(value, bool):
                raise InputError(f"{key} = {value!r} is of the wrong kind: expected a number")
            RANGES[key].check(value, key)
            sections[key] = value
    return Model(network, transform, objective, sections, info or {}, sensor)


def save(model: Model, out: str | Path | Output, **info: Any) -> None:
    """Writes a model file; info goes over the model's. A file that has a plain name is replaced.

    Raises InputError where a weight is not finite, OutputError where the file cannot be written.
    """
    tensors = {f"network.{k}": v.contiguous().cpu() for k, v in model.network.state_dict().items()}
    tensors |= {f"transform.{k}": torch.from_numpy(v).contiguous() for k, v in model.transform.state_dict().items()}
    require_finite(tensors, "the model")
    texts = {
        "recipe": model.recipe,
        "info": {"panflow": __version__, "licence": "Apache-2.0", **model.info, **info},
        "sensor": None if model.sensor is None else asdict(model.sensor),
    }
    data = to_bytes(tensors, {key: json.dumps(value) for key, value in texts.items()})
    with out if isinstance(out, Output) else Output(out, overwrite=True) as output:
        output.write(data)


def open_model(
    path: str | Path, device: str | torch.device = "cpu", context: int | None = None, seed: int = 0
) -> Model:
    """The model of a file that `save` wrote, with `Model`'s context and seed. Raises InputError where it is something
    else."""
    try:
        with safe_open(path, "pt") as file:
            texts = {key: json.loads(value) for key, value in (file.metadata() or {}).items()}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, RecursionError, OSError) as error:
        raise InputError(f"{path} is no model file: expected safetensors of panflow ({error})") from None
    if not isinstance(texts.get("recipe"), dict):
        raise InputError(f"{path} holds no recipe: expected a model of `panflow train` or `panflow import`")
    recipe = {RENAMED.get(key, key): value for key, value in texts["recipe"].items()}
    what = f"model file {path}"
    try:
        fresh = build(recipe)
        sensor = None if texts.get("sensor") is None else _sensor(texts["sensor"])
    except (InputError, UnknownName) as error:
        raise type(error)(f"{what}: {error}") from None
    except (TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{what}: its sensor is not one that panflow writes ({error})") from None
    info = texts.get("info")
    if not isinstance(info, dict):
        raise InputError(f"{what}: its info is {info!r}: expected what `panflow train` writes")
    take(fresh.network, _under("network.", tensors), what)
    take_tables(fresh.transform, _under("transform.", tensors), what)
    return replace(fresh, info=info, sensor=sensor, context=context, seed=seed).to(device)


def _network(name: str, **options: Any) -> Network:
    return _make(registry.get("networks", name).Network, f"network {name}", options)


def _transform(name: str, **options: Any) -> Transform:
    return _make(registry.get("transforms", name).Transform, f"transform {name}", options)


def _make(make: Callable[..., T], what: str, options: dict[str, Any]) -> T:
    """A part of a model, of options that are held against its signature and to their ranges."""
    options = arguments(make, options, what, RANGES)
    require_room(lambda: make(**options), what, options)
    return make(**options)


def _section(recipe: Mapping[str, Any], kind: str) -> dict[str, Any]:
    section = recipe.get(kind)
    if not isinstance(section, dict) or not isinstance(section.get("name"), str):
        raise InputError(f"the recipe's section {kind} is {section!r}: expected a table with a name")
    return dict(section)


def _objective(name: str, **options: Any) -> Objective:
    module = registry.get("objectives", name)
    return module.Objective(module.Options.of(**options))


def _sensor(values: dict[str, Any]) -> Sensor:
    bands = tuple(Band(**band) for band in values["bands"])
    response = tuple((nm, share) for nm, share in values.get("response", ()))
    read = {"bands": bands, "pan": Band(**values["pan"]), "haze": tuple(values["haze"]), "response": response}
    return Sensor(**{**values, **read})


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
