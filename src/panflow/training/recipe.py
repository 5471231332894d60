"""Recipes: one TOML a run, whose keys are the fields of these frozen dataclasses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

from panflow import registry, settings
from panflow.data._augment import Augment
from panflow.data._full_scale import FullScale
from panflow.data._tiles import Collection
from panflow.data.geotiff import Source
from panflow.settings import Amount, Natural, Positive, Range, Seed, Share
from panflow.types import YX

WHOLE = ("network", "transform", "objective")  # sections whose keys are the options of what they name


@dataclass(frozen=True)
class Data:
    """What is learned from: `collections` of ready pairs, or pairs drawn from the ground in `sources` and in drawn
    scenes, as `augment` says.

    root: the folder of all of them (`panflow train --data`); tile: PAN pixels on a side whose statistics stand for a
    scene; patch: how much of it a step learns from; batch: images in a step (0: as many as make `folded` bands);
    synthetic: drawn scenes per sensor; threads: batches that are prepared ahead, each in a thread (0: none).
    """

    root: str = ""
    sources: tuple[Source, ...] = ()
    collections: tuple[Collection, ...] = ()
    tile: Annotated[int, Range(16, 2048)] = 96
    patch: Annotated[int, Range(8, 2048)] = 64
    folded: Annotated[int, Range(1, 4096)] = 32
    batch: Annotated[int, Range(0, 1024)] = 0
    synthetic: Annotated[int, Range(0, 10_000)] = 0
    synthetic_sensors: tuple[str, ...] = ("worldview3", "pleiades_neo")
    synthetic_size: Annotated[int, Range(64, 2**14)] = 384
    synthetic_weight: Amount = 1.0
    threads: Annotated[int, Range(0, 256)] = 0


@dataclass(frozen=True)
class Optimiser:
    """name: "adamw", "adam" or "sgd" (with momentum 0.9); rates, clips: of each player, the rate and the largest
    gradient norm (0: any); decay of weights; warmup in steps.

    schedule: "cosine" down to `floor` of the rate, "step": times `factor` after every `every` steps, or at the steps
    `at`, or "constant".
    """

    name: str = "adamw"
    rates: dict[str, Annotated[float, Range(0, 100)]] = field(default_factory=lambda: {"net": 1e-3, "critic": 2e-4})
    clips: dict[str, Amount] = field(default_factory=lambda: {"net": 1.0, "critic": 10.0})
    decay: Amount = 1e-4
    warmup: Natural = 200
    schedule: str = "cosine"
    floor: Share = 0.01
    factor: Share = 0.5
    every: Natural = 0
    at: tuple[Natural, ...] = ()


@dataclass(frozen=True)
class Held:
    """A pair that is measured, never learned from: a folder with ms.tif and pan.tif, reduced by Wald's protocol."""

    folder: str
    sensor: str = "generic"
    phase: str | YX = "corner"


@dataclass(frozen=True)
class Validation:
    """Pairs and the first `count` tiles of collections below `root` (that of the data by default), every so many steps
    (0: at the end only)."""

    root: str = ""
    pairs: tuple[Held, ...] = ()
    collections: tuple[Collection, ...] = ()
    count: Positive = 20
    every: Natural = 2000


@dataclass(frozen=True)
class Run:
    """steps; seed of data and noise; ema: decay of the averaged weights; bfloat16: autocast of the network;
    checkpoint: seconds between checkpoints; log: steps between rows; start: a model file whose weights to begin with;
    tensorboard: write its event files too."""

    steps: Positive = 10_000
    seed: Seed = 0
    ema: Share = 0.999
    bfloat16: bool = False
    checkpoint: Amount = 120.0
    log: Positive = 50
    start: str = ""
    tensorboard: bool = False


@dataclass(frozen=True)
class Recipe:
    """network, transform, objective: `name` and the options of the class of that name.

    phase: that of the MS which networks see that take `ms` itself, in PAN pixels (see `inputs.View`). back_projection:
    steps of it after the network, in use (`ops.back_projection`). licence: of the weights.
    """

    network: dict[str, Any]
    transform: dict[str, Any]
    objective: dict[str, Any]
    phase: Annotated[float, Range(-64, 64)] | None = None
    back_projection: Annotated[int, Range(0, 100)] | None = None
    title: str = ""
    licence: str = "Apache-2.0"
    data: Data = field(default_factory=Data)
    augment: Augment = field(default_factory=Augment)
    full_scale: FullScale = field(default_factory=FullScale)
    optimiser: Optimiser = field(default_factory=Optimiser)
    validation: Validation = field(default_factory=Validation)
    run: Run = field(default_factory=Run)

    def sections(self) -> dict[str, Any]:
        """What a model is built from."""
        return {name: vars(self)[name] for name in ("network", "transform", "objective", "phase", "back_projection")}

    def dump(self) -> dict[str, Any]:
        """Plain values, every default written out."""
        return json.loads(json.dumps(asdict(self)))


def names() -> tuple[str, ...]:
    """The bundled recipes."""
    return registry.names("recipes")


def load(recipe: str | Path | Recipe, overrides: Sequence[str] = (), data: str | Path | None = None) -> Recipe:
    """The recipe of a bundled name, a file or a mix ("table4-otfm+_small": the second over the first), with
    `section.key=value` overrides (values in TOML, else text).

    A file may start from others, which it `extends`. data: the folder of the images. Raises UnknownName for a key that
    does not exist, and names the nearest; InputError for a value of the wrong kind.
    """
    values, what = (recipe.dump(), "recipe") if isinstance(recipe, Recipe) else (read(recipe), f"recipe {recipe}")
    for text in overrides:
        settings.override(values, text)
    if data is not None:
        values = merged(values, {"data": {"root": str(data)}})
    return typed(values, what)


def read(recipe: str | Path | Sequence[str]) -> dict[str, Any]:
    """The values of a bundled recipe, a file or a mix, as far as they say them."""
    return settings.read("recipes", recipe, WHOLE)


def merged(base: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Values over those of another recipe."""
    return settings.merged(base, values, WHOLE)


def typed(values: dict[str, Any], what: str = "recipe") -> Recipe:
    """A recipe of plain values; what they lack gets its default. what: as messages call it."""
    return settings.typed(Recipe, values, what)


def portable(recipe: Recipe) -> dict[str, Any]:
    """What a model's file keeps of it: everything but where things lay on this machine."""
    values = recipe.dump()
    for section in ("data", "validation"):
        del values[section]["root"]
    values["run"]["start"] = Path(recipe.run.start).name
    return values
