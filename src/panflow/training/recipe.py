"""Recipes: one TOML a run, whose keys are the fields of these frozen dataclasses."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from panflow import registry
from panflow.data._augment import Augment
from panflow.data.geotiff import Source
from panflow.errors import InputError, UnknownName
from panflow.types import YX


@dataclass(frozen=True)
class Data:
    """root: the folder of all sources; tile: PAN pixels on a side whose statistics stand for a scene; patch: how much
    of it a step learns from; folded: bands in a batch, over all its images. synthetic: drawn scenes per sensor."""

    root: str = "../shared/data/open"
    sources: tuple[Source, ...] = ()
    tile: int = 96
    patch: int = 64
    folded: int = 32
    synthetic: int = 0
    synthetic_sensors: tuple[str, ...] = ("worldview3", "pleiades_neo")
    synthetic_size: int = 384
    synthetic_weight: float = 1.0


@dataclass(frozen=True)
class Optimiser:
    """AdamW: the rate of each player, warm-up in steps, cosine down to `floor` of the rate, the largest gradient norm
    of each player, decay."""

    rates: dict[str, float] = field(default_factory=lambda: {"net": 1e-3, "critic": 2e-4})
    clips: dict[str, float] = field(default_factory=lambda: {"net": 1.0, "critic": 10.0})
    warmup: int = 200
    floor: float = 0.01
    decay: float = 1e-4


@dataclass(frozen=True)
class Held:
    """A pair that is measured, never learned from: a folder with ms.tif and pan.tif, reduced by Wald's protocol."""

    folder: str
    sensor: str = "generic"
    phase: str | YX = "corner"


@dataclass(frozen=True)
class Validation:
    """Pairs below `root`, every so many steps (0: at the end only)."""

    root: str = "../shared/data/open"
    pairs: tuple[Held, ...] = ()
    every: int = 2000


@dataclass(frozen=True)
class Run:
    """steps; seed of data and noise; ema: decay of the averaged weights; bfloat16: autocast of the network;
    checkpoint: seconds between checkpoints; log: steps between rows; start: a model file whose weights to begin with;
    tensorboard: write its event files too."""

    steps: int = 10_000
    seed: int = 0
    ema: float = 0.999
    bfloat16: bool = False
    checkpoint: float = 120.0
    log: int = 50
    start: str = ""
    tensorboard: bool = False


@dataclass(frozen=True)
class Recipe:
    """network, transform, objective: `name` and the options of the class of that name."""

    network: dict[str, Any]
    transform: dict[str, Any]
    objective: dict[str, Any]
    title: str = ""
    data: Data = field(default_factory=Data)
    augment: Augment = field(default_factory=Augment)
    optimiser: Optimiser = field(default_factory=Optimiser)
    validation: Validation = field(default_factory=Validation)
    run: Run = field(default_factory=Run)

    def dump(self) -> dict[str, Any]:
        """Plain values, every default written out."""
        return json.loads(json.dumps(asdict(self)))


def load(recipe: str | Path | Recipe, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe of a bundled name or a file, with `section.key=value` overrides (values in TOML, else text).

    Raises UnknownName for a key that does not exist, and names the nearest; InputError for a value of the wrong kind.
    """
    if isinstance(recipe, Recipe):
        values = recipe.dump()
    else:
        path = Path(recipe) if str(recipe).endswith(".toml") else registry.path("recipes", str(recipe))
        if not path.is_file():
            raise InputError(
                f"no recipe {path}: expected a .toml file or one of {', '.join(registry.names('recipes'))}"
            )
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"{path} is not TOML: {error}") from None
    for text in overrides:
        _override(values, text)
    return _typed(Recipe, values, "")


def _override(values: dict[str, Any], text: str) -> None:
    key, equals, value = text.partition("=")
    *sections, last = key.strip().split(".")
    if not equals or not last:
        raise InputError(f"override {text!r}: expected section.key=value")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    for section in sections:
        values = values.setdefault(section, {})
    values[last] = parsed


def _typed(kind: Any, value: Any, where: str) -> Any:
    """A TOML value as a field's type has it."""
    origin, args = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        if not isinstance(value, dict):
            raise InputError(f"{where}: expected a table, not {value!r}")
        hints = get_type_hints(kind)
        for key in value:
            registry.closest(f"key in {where or 'the recipe'}:", key, tuple(hints))
        required = [f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING]
        for key in required:
            if key not in value:
                raise InputError(f"the recipe has no {f'{where}.' if where else ''}{key}: it must say which")
        return kind(**{key: _typed(hints[key], v, f"{where}.{key}".strip(".")) for key, v in value.items()})
    if origin is tuple and isinstance(value, (list, tuple)):
        if args[-1] is Ellipsis:
            return tuple(_typed(args[0], v, f"{where}[{i}]") for i, v in enumerate(value))
        if len(args) == len(value):
            return tuple(_typed(a, v, where) for a, v in zip(args, value))
    elif origin in (UnionType, Union):
        for option in args:
            try:
                return _typed(option, value, where)
            except (InputError, UnknownName):
                continue
    elif origin is dict and isinstance(value, dict):
        return {k: _typed(args[1], v, f"{where}.{k}") for k, v in value.items()}
    elif kind is Any or (
        isinstance(value, kind if origin is None else ()) and (kind is bool) == isinstance(value, bool)
    ):
        return value
    elif kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    raise InputError(f"{where} = {value!r} is of the wrong kind: expected {getattr(kind, '__name__', kind)}")
