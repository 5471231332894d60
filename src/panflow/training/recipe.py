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
from panflow.data._tiles import Collection
from panflow.data.geotiff import Source
from panflow.errors import InputError, UnknownName
from panflow.types import YX

WHOLE = ("network", "transform", "objective")  # sections whose keys are the options of what they name


@dataclass(frozen=True)
class Data:
    """What is learned from: `collections` of ready pairs, or pairs that are made of the ground in `sources` and in
    drawn scenes, as `augment` says.

    root: the folder of all of them; tile: PAN pixels on a side whose statistics stand for a scene; patch: how much of
    it a step learns from; batch: images in a step (0: as many as make `folded` bands); synthetic: drawn scenes per
    sensor; threads: batches that are prepared ahead, each in a thread (0: none).
    """

    root: str = "../shared/data/open"
    sources: tuple[Source, ...] = ()
    collections: tuple[Collection, ...] = ()
    tile: int = 96
    patch: int = 64
    folded: int = 32
    batch: int = 0
    synthetic: int = 0
    synthetic_sensors: tuple[str, ...] = ("worldview3", "pleiades_neo")
    synthetic_size: int = 384
    synthetic_weight: float = 1.0
    threads: int = 0


@dataclass(frozen=True)
class Optimiser:
    """name: "adamw", "adam" or "sgd" (with momentum 0.9); rates, clips: of each player, the rate and the largest
    gradient norm (0: any); decay of weights; warmup in steps.

    schedule: "cosine" down to `floor` of the rate, "step": times `factor` after every `every` steps, or at the steps
    `at`, or "constant".
    """

    name: str = "adamw"
    rates: dict[str, float] = field(default_factory=lambda: {"net": 1e-3, "critic": 2e-4})
    clips: dict[str, float] = field(default_factory=lambda: {"net": 1.0, "critic": 10.0})
    decay: float = 1e-4
    warmup: int = 200
    schedule: str = "cosine"
    floor: float = 0.01
    factor: float = 0.5
    every: int = 0
    at: tuple[int, ...] = ()


@dataclass(frozen=True)
class Held:
    """A pair that is measured, never learned from: a folder with ms.tif and pan.tif, reduced by Wald's protocol."""

    folder: str
    sensor: str = "generic"
    phase: str | YX = "corner"


@dataclass(frozen=True)
class Validation:
    """Pairs and the first `count` tiles of collections below `root`, every so many steps (0: at the end only)."""

    root: str = "../shared/data/open"
    pairs: tuple[Held, ...] = ()
    collections: tuple[Collection, ...] = ()
    count: int = 20
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
    """network, transform, objective: `name` and the options of the class of that name.

    phase: that of the MS which networks see that take `ms` itself, in PAN pixels (see `inputs.View`). consistency:
    steps of back-projection after the network, in use (`ops.consistency`). licence: of the weights.
    """

    network: dict[str, Any]
    transform: dict[str, Any]
    objective: dict[str, Any]
    phase: float | None = None
    consistency: int | None = None
    title: str = ""
    licence: str = "Apache-2.0"
    data: Data = field(default_factory=Data)
    augment: Augment = field(default_factory=Augment)
    optimiser: Optimiser = field(default_factory=Optimiser)
    validation: Validation = field(default_factory=Validation)
    run: Run = field(default_factory=Run)

    def sections(self) -> dict[str, Any]:
        """What a model is built from."""
        return {name: getattr(self, name) for name in ("network", "transform", "objective", "phase", "consistency")}

    def dump(self) -> dict[str, Any]:
        """Plain values, every default written out."""
        return json.loads(json.dumps(asdict(self)))


def names() -> tuple[str, ...]:
    """The bundled recipes."""
    return registry.names("recipes")


def load(recipe: str | Path | Recipe, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe of a bundled name or a file, with `section.key=value` overrides (values in TOML, else text).

    A file may start from another: `extends` is a bundled name or a file beside it. Raises UnknownName for a key that
    does not exist, and names the nearest; InputError for a value of the wrong kind.
    """
    values = recipe.dump() if isinstance(recipe, Recipe) else _read(recipe)
    for text in overrides:
        _override(values, text)
    return typed(values)


def typed(values: dict[str, Any]) -> Recipe:
    """A recipe of plain values; what they lack gets its default."""
    return _typed(Recipe, values, "")


def told(recipe: Recipe) -> dict[str, Any]:
    """What a model's file keeps of it: everything but where things lay on this machine."""
    values = recipe.dump()
    for section in ("data", "validation"):
        del values[section]["root"]
    values["run"]["start"] = Path(recipe.run.start).name
    return values


def as_toml(values: dict[str, Any], table: str = "") -> str:
    """Plain values as TOML: keys first, then tables; lists of tables inline."""
    lines, tables = [], []
    for key, value in values.items():
        if isinstance(value, dict):
            name = f"{table}.{key}".lstrip(".")
            tables.append(f"\n[{name}]\n{as_toml(value, name)}")
        elif value is not None:
            lines.append(f"{key} = {_inline(value)}\n")
    return "".join(lines + tables)


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_inline(v)}" for k, v in value.items() if v is not None) + " }"
    if isinstance(value, list):
        inner = [_inline(v) for v in value]
        broken = any(isinstance(v, dict) for v in value)
        return "[\n" + "".join(f"  {text},\n" for text in inner) + "]" if broken else f"[{', '.join(inner)}]"
    return json.dumps(value, ensure_ascii=False)  # of text, numbers and booleans, JSON is TOML


def _read(recipe: str | Path) -> dict[str, Any]:
    path = Path(recipe) if str(recipe).endswith(".toml") else registry.path("recipes", str(recipe))
    if not path.is_file():
        raise InputError(f"no recipe {path}: expected a .toml file or one of {', '.join(names())}")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not TOML: {error}") from None
    if base := values.pop("extends", None):
        beside = path.with_name(f"{base.removesuffix('.toml')}.toml")
        return _merged(_read(beside if beside.is_file() else base), values)
    return values


def _merged(base: dict[str, Any], values: dict[str, Any], whole: tuple[str, ...] = WHOLE) -> dict[str, Any]:
    """Tables key by key, but for those of `whole`: with another name they start anew, as their options are others."""
    joined = dict(base)
    for key, value in values.items():
        old = base.get(key)
        if isinstance(value, dict) and isinstance(old, dict) and not (key in whole and "name" in value):
            value = _merged(old, value, ())
        joined[key] = value
    return joined


def value_of(text: str) -> tuple[str, Any]:
    """Key and value of `key=value`, the value in TOML, else text."""
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not key or key.endswith("."):
        raise InputError(f"override {text!r}: expected section.key=value")
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value


def _override(values: dict[str, Any], text: str) -> None:
    key, value = value_of(text)
    *sections, last = key.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise InputError(f"override {text!r}: {section} is a value, not a table")
    values[last] = value


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
        made: Any = kind
        return made(**{key: _typed(hints[key], v, f"{where}.{key}".strip(".")) for key, v in value.items()})
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
