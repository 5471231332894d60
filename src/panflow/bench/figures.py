"""The figures that a plan wants of its results."""

from __future__ import annotations

import base64
import io
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from panflow.bench import images, pictures, plots
from panflow.bench.plan import Plan
from panflow.bench.table import Cell, Head, Rows, Table, label
from panflow.types import Pair

QUALITY = 88  # of JPEG
PIXELS = 1500  # of every sensor, in figures of distributions
STATES = {"counts": None, "UniPAN, uniform": "uniform", "UniPAN, normal": "normal"}


def build(plan: Plan, rows: Rows, tables: list[Table], root: Path, folder: Path) -> Iterator[tuple[str, Any]]:
    """(caption, figure) of everything that the plan asks for."""
    plain = [table for table in tables if table.corner == "method"]
    for kind in plan.figures:
        if kind == "bars":
            yield from ((f"{table.title}: all indices", plots.bars(table)) for table in plain)
        elif kind == "pareto":
            yield from ((f"{table.title}: quality against time", plots.pareto(table)) for table in plain)
        elif kind == "heat":
            yield from ((table.title, plots.heat(table)) for table in tables if table.corner != "method")
        else:
            yield from MAKERS[kind](plan, rows, root, folder)


def uri(figure: Any) -> str:
    """The figure in a data URI: JPEG where it holds photographs, PNG else."""
    photographs = any(image.get_array().ndim == 3 for axis in figure.axes for image in axis.images)
    kind, options = ("jpeg", {"pil_kwargs": {"quality": QUALITY}}) if photographs else ("png", {})
    file = io.BytesIO()
    figure.savefig(file, format=kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def _maps(plan: Plan, rows: Rows, root: Path, folder: Path) -> Iterator[tuple[str, Any]]:
    panels: dict[tuple[str, str, str], list[plots.Panel]] = defaultdict(list)
    for method, result in rows:
        where = (result.data, result.image, result.protocol)
        if arrays := pictures.load(folder, result.key):
            if where not in panels:
                inputs = pictures.load(folder, pictures.source(*where))
                panels[where] += [(name, picture, None) for name, picture in inputs.items()]
            panels[where].append((method.label, arrays["picture"], arrays["map"]))
    for (data, image, protocol), row in panels.items():
        error = protocol == "reduced"
        title = f"{data}, {image}: {'errors' if error else 'HQNR'}"
        yield title, plots.maps(title, row, error)


def _radar(plan: Plan, rows: Rows, root: Path, folder: Path) -> Iterator[tuple[str, Any]]:
    """Every index over the data: a line a choice of the axis that is compared, for each choice of the other."""
    axis, _ = plan.layout.against
    spokes = list(dict.fromkeys(data.name for data in plan.data))
    for name in dict.fromkeys(method.tags[plan.layout.rows] for method, _ in rows if method.tags):
        for column in plan.indices:
            values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
            for method, result in rows:
                value = result.indices.get(label(column))
                if method.tags.get(plan.layout.rows) == name and value is not None:
                    values[method.tags[axis]][result.data].append(value)
            lines = {choice: [float(np.mean(v[data])) for data in spokes] for choice, v in values.items()}
            title = f"{label(column)}, {plan.layout.rows} {name}"
            yield title, plots.radar(title, spokes, lines)


def _curves(plan: Plan, rows: Rows, root: Path, folder: Path) -> Iterator[tuple[str, Any]]:
    """Every index over the numbers of the axis `rows`; methods without that axis are the baseline."""
    axis = plan.layout.rows
    panels: dict[Head, dict[str, dict[float, Cell]]] = {}
    baseline: dict[Head, Cell] = {}
    for column in plan.indices:
        head = Head.of(column, label(column))
        lines: dict[str, dict[float, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
        plain: dict[str, float] = {}
        for method, result in rows:
            value = result.indices.get(head.title)
            if value is None:
                continue
            line = ", ".join(choice for name, choice in method.tags.items() if name != axis)
            target = lines[line][float(method.tags[axis])] if axis in method.tags else plain
            target[result.image] = value
        panels[head] = {line: {x: Cell(v) for x, v in sorted(cells.items())} for line, cells in lines.items()}
        if plain:
            baseline[head] = Cell(plain)
    yield f"indices over {axis}", plots.curves(axis, panels, baseline)


def _samples(plan: Plan, root: Path) -> dict[str, dict[str, np.ndarray]]:
    """Pixels [n, C] of the first image of every set of data, as counts and through UniPAN fitted to it."""
    from panflow.transforms.unipan import Transform

    samples: dict[str, dict[str, np.ndarray]] = {state: {} for state in STATES}
    for data in plan.data:
        pair = next(images.load(replace(data, protocols=("full",)), root, plan.seed)).make()
        for state, target in STATES.items():
            values = pair.ms
            if target:
                values = Transform(target=target).fit([pair]).ms(pair.ms)
            samples[state][data.name] = _drawn(values, pair, plan.seed)
    bands = min(pixels.shape[1] for pixels in samples["counts"].values())
    return {state: {name: p[:, :bands] for name, p in sets.items()} for state, sets in samples.items()}


def _drawn(values: np.ndarray, pair: Pair, seed: int) -> np.ndarray:
    flat = values[0].reshape(pair.bands, -1)
    if pair.ms_valid is not None:
        flat = flat[:, pair.ms_valid[0].ravel()]
    rng = np.random.default_rng(seed)
    return flat[:, rng.integers(flat.shape[1], size=PIXELS)].T


def _distributions(plan: Plan, rows: Rows, root: Path, folder: Path) -> Iterator[tuple[str, Any]]:
    for state, samples in _samples(plan, root).items():
        title = f"second band of MS: {state}"
        yield title, plots.distributions(title, {name: pixels[:, 1] for name, pixels in samples.items()})


def _sensors(plan: Plan, rows: Rows, root: Path, folder: Path) -> Iterator[tuple[str, Any]]:
    yield "pixels of all sensors, principal components", plots.sensors(_samples(plan, root))


MAKERS = {"maps": _maps, "radar": _radar, "curves": _curves, "distributions": _distributions, "sensors": _sensors}
