"""Plans: one TOML a benchmark, whose keys are the fields of these frozen dataclasses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import reduce
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from panflow import registry, settings
from panflow.data._tiles import Collection
from panflow.data.observed import Optics
from panflow.errors import InputError
from panflow.indices._sets import load as load_index
from panflow.settings import Natural, Range, Seed
from panflow.training import recipe as recipes
from panflow.types import YX

PROTOCOLS = ("reduced", "full", "full-scale")
MEASURES = {"evaluations": 0, "seconds": 3, "memory": 0}  # what is measured beside quality, digits in tables
REHEARSAL = "Small data and budgets, to see everything once: the numbers mean nothing."
FIGURES = ("pareto", "bars", "radar", "maps", "distributions", "sensors", "curves", "heat")


@dataclass(frozen=True)
class Method:
    """A row: what `panflow.load` takes with its options, or a recipe that is trained first.

    train: a recipe, or what differs from the one that it `extends` and from the plan's. over: axes, each with choices
    that are partial recipes; the method stands for all their combinations. only: names of the data that it can serve.
    mtf: the gains that it computes with, as `panflow.sharpen` takes them; "": those that the pair's sensor names.
    tags: the choice on every axis, which expansion sets.
    """

    label: str
    name: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    train: dict[str, Any] = field(default_factory=dict)
    over: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    mtf: str = ""
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Data:
    """Images to be sharpened. name: of their table; several sets may share one, as reduced and full files do.

    collection: ready pairs of PanCollection or NBU; folder: one with pan.tif, ms.tif and perhaps reference.tif;
    neither: drawn scenes of `size` PAN pixels. bands: those to take; phase, arithmetic: as `panflow.sharpen` takes
    them. window (top, left, height, width), tile and step: in MS pixels, of the images as they are; a window is cut
    into tiles that begin `step` apart (0: side by side). count: images at most (0: all). protocols: "reduced" (Wald's,
    where the set has no reference), "full", and for sets with `optics` "full-scale": a truth at PAN's resolution,
    seen as `data.observed` says. truth: a file of bands to be that, whose mean stands for PAN; "": drawn scenes.
    """

    name: str
    sensor: str = "generic"
    collection: Collection | None = None
    folder: str = ""
    size: Annotated[int, Range(64, 2**14)] = 256
    bands: tuple[Annotated[int, Range(0, 1000)], ...] = ()
    phase: str | YX = "corner"
    arithmetic: str = "standard"
    window: tuple[int, int, int, int] = (0, 0, 0, 0)
    tile: Natural = 0
    step: Natural = 0
    count: Natural = 0
    truth: str = ""
    optics: Optics | None = None
    protocols: tuple[str, ...] = ("reduced", "full")


@dataclass(frozen=True)
class Column:
    """An index with its options; cut: pixels taken off beforehand (`panflow.assess`); label: its title by default."""

    index: str
    label: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    cut: Natural = 0
    digits: Annotated[int, Range(0, 17)] = 3


@dataclass(frozen=True)
class Layout:
    """How results become tables. kind: "methods" (rows are methods, one table a set of data), "matrix" (rows are the
    choices of the axis `rows`, columns the data, one table an index) or "curves" (over the numbers of the axis `rows`).

    against: (axis, choice), the baseline of matrices and curves; every other choice is compared with it. over: an axis
    whose choices are repetitions, as seeds are: tables of methods have one row for all of them, with their deviation.
    """

    kind: str = "methods"
    rows: str = ""
    against: tuple[str, str] = ("", "")
    over: str = ""


@dataclass(frozen=True)
class Plan:
    """methods x data x indices.

    recipe: what all trained methods share, before what each of them says; budget: what has the last word in every
    recipe, and budgets in those of the methods with that label. ground: what methods can learn from; reduced pairs of
    it are written as the collection NAME.h5, sets of one name together. root: the folder of the data; seed: of
    training, drawn scenes and bootstrap; repeats: times that a sharpening is timed (the first of several does not
    count); pictures: images a set whose pictures go into the report; paper: file of published numbers.
    rehearsal: what differs when the plan is tried on small data with small budgets.
    """

    title: str
    methods: Annotated[tuple[Method, ...], Range(1, 10_000)]
    data: Annotated[tuple[Data, ...], Range(1, 1000)]
    indices: Annotated[tuple[Column, ...], Range(1, 1000)]
    about: str = ""
    paper: str = ""
    root: str = ""
    seed: Seed = 0
    repeats: Annotated[int, Range(1, 1000)] = 1
    pictures: Natural = 1
    measures: tuple[str, ...] = ("seconds",)
    figures: tuple[str, ...] = ("bars", "maps")
    layout: Layout = Layout()
    ground: tuple[Data, ...] = ()
    recipe: dict[str, Any] = field(default_factory=dict)
    budget: dict[str, Any] = field(default_factory=dict)
    budgets: dict[str, dict[str, Any]] = field(default_factory=dict)
    rehearsal: dict[str, Any] = field(default_factory=dict)

    def dump(self) -> dict[str, Any]:
        """Plain values, every default written out."""
        return json.loads(json.dumps(asdict(self)))


def essence(part: Any) -> dict[str, Any]:
    """What a part of a plan says beyond its defaults: so a key that is new to plans changes nothing for old ones."""
    defaults = {f.name: f.default for f in fields(part)}
    return {name: value for name, value in asdict(part).items() if value != defaults[name]}


def load(plan: str | Path | Plan, overrides: Sequence[str] = (), rehearse: bool = False) -> Plan:
    """The plan of a bundled name or a file, its axes expanded, with `section.key=value` overrides.

    A plan may start from another: `extends` is a bundled name or a file beside it. Raises UnknownName for
    a key that does not exist, and names the nearest; InputError for a value of the wrong kind.
    """
    values, what = (plan.dump(), "plan") if isinstance(plan, Plan) else (settings.read("plans", plan), f"plan {plan}")
    if rehearse:
        values = settings.merged(values, values.get("rehearsal", {}))
        values["title"] = f"Rehearsal: {values.get('title', '')}"
        values["about"] = f"{REHEARSAL} {values.get('about', '')}"
    for text in overrides:
        settings.override(values, text)
    loaded = settings.typed(Plan, values, what)
    methods = tuple(one for method in loaded.methods for one in _expanded(loaded, method))
    return _checked(replace(loaded, methods=methods))


def _expanded(plan: Plan, method: Method) -> Iterator[Method]:
    """The method's combinations, each with its whole recipe."""
    axes, train = list(method.over.items()), dict(method.train)
    base = recipes.read(train.pop("extends")) if "extends" in train else {}
    for choices in product(*(axis.items() for _, axis in axes)):
        last = (plan.budget, plan.budgets.get(method.label, {}))
        parts = (base, train, *(part for _, part in choices), *last) if method.train or choices else ()
        recipe = reduce(recipes.merged, parts, plan.recipe) if parts else {}
        tags = {axis: name for (axis, _), (name, _) in zip(axes, choices)}
        label = ", ".join([method.label, *tags.values()])
        yield replace(method, label=label, train=recipe, over={}, tags=tags or method.tags)


def _checked(plan: Plan) -> Plan:
    labels = [method.label for method in plan.methods]
    for method in plan.methods:
        if labels.count(method.label) > 1:
            raise InputError(f"two methods are called {method.label!r}: give each another label")
        if bool(method.name) == bool(method.train):
            raise InputError(f"method {method.label!r}: expected either a name, or a recipe to train")
        if method.train:
            recipes.typed(method.train, f"recipe of method {method.label!r}")
        for name in method.only:
            registry.closest("data", name, tuple(data.name for data in plan.data))
    for data in plan.data:
        if (any(data.window) or data.tile) and not (data.folder or data.optics):
            raise InputError(f"data {data.name!r}: window and tile cut a folder's images, and there is no folder")
        for protocol in data.protocols:
            registry.closest("protocol", protocol, PROTOCOLS)
    for measure in plan.measures:
        registry.closest("measure", measure, tuple(MEASURES))
    for figure in plan.figures:
        registry.closest("figure", figure, FIGURES)
    registry.closest("layout", plan.layout.kind, ("methods", "matrix", "curves"))
    axes = {axis for method in plan.methods for axis in method.tags}
    if plan.layout.kind != "methods":
        if not axes:
            raise InputError(f"a layout of {plan.layout.kind} needs methods with an axis, `over` = {{ axis = ... }}")
        for axis in (plan.layout.rows, plan.layout.against[0]):
            registry.closest("axis of the methods", axis, tuple(axes))
    for column in plan.indices:
        load_index(column.index, **column.options)
    return plan
