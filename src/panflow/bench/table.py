"""Results as tables: mean and deviation, best and second, significance, and what the papers printed."""

from __future__ import annotations

import math
import statistics
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from panflow.bench.ledger import Result
from panflow.bench.plan import MEASURES, Column, Method, Plan
from panflow.errors import InputError
from panflow.indices._case import shortfall
from panflow.indices._sets import load as load_index

DRAWS = 2000  # of the bootstrap
FEWEST = 5  # images below which a bootstrap of them says nothing
LEVEL = 0.05
TITLES = {"evaluations": "NFE", "seconds": "seconds", "memory": "MiB"}
Rows = Sequence[tuple[Method, Result]]


@dataclass(frozen=True)
class Head:
    """A column's title; better: "lower", "higher", "nearest" (to `ideal`) or "" where neither is."""

    title: str
    better: str = ""
    digits: int = 3
    ideal: float = math.nan

    @classmethod
    def of(cls, column: Column, title: str) -> Head:
        index = load_index(column.index)
        return cls(title, index.better, column.digits, index.ideal)

    def shortfall(self, value: float) -> float:
        return shortfall(value, self.better, self.ideal)

    @property
    def arrow(self) -> str:
        return {"lower": " ↓", "higher": " ↑", "nearest": f" → {self.ideal:g}"}.get(self.better, "")


@dataclass(frozen=True)
class Cell:
    """values: of every image, by its name, or of every repetition. rank: 1 best, 2 second, 0 neither. same: not
    significantly worse than the best. delta, p: against a baseline, and the chance of as large a difference where there
    is none. paper: what was published: (mean, deviation or nan, difference from the baseline or nan)."""

    values: dict[str, float] = field(default_factory=dict)
    rank: int = 0
    same: bool = False
    delta: float = math.nan
    p: float = math.nan
    paper: tuple[float, float, float] | None = None

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values.values()) if self.values else math.nan

    @property
    def std(self) -> float:
        """Over the images or repetitions, with n - 1; nan for a single one."""
        return statistics.stdev(self.values.values()) if len(self.values) > 1 else math.nan


@dataclass(frozen=True)
class Table:
    """rows: (title, cells). note: where the published numbers come from; corner: what the rows are."""

    title: str
    heads: tuple[Head, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    note: str = ""
    corner: str = "method"


def build(plan: Plan, rows: Rows) -> list[Table]:
    """The plan's tables of its results, in its order."""
    paper = _paper(plan.paper)
    tables = []
    if plan.layout.kind == "matrix":
        tables = _matrices(plan, [row for row in rows if row[0].tags], paper)
        rows = [row for row in rows if not row[0].tags]
    names = dict.fromkeys(data.name for data in plan.data) if rows else ()
    return tables + [_methods(plan, rows, name, paper) for name in names]


def label(column: Column) -> str:
    return column.label or load_index(column.index).title


def _paper(name: str) -> dict[str, Any]:
    if not name:
        return {}
    path = Path(__file__).parent / "papers" / f"{name}.toml"
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in path.parent.glob("*.toml")))
        raise InputError(f"no published numbers {name!r}: expected one of {names}")
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _methods(plan: Plan, rows: Rows, data: str, paper: dict[str, Any]) -> Table:
    """One set of data: a row a method."""
    over = plan.layout.over
    results: dict[str, list[Result]] = defaultdict(list)
    for method, result in rows:
        if result.data == data:
            results[_row(method, over)].append(result)
    heads, columns = [], []
    for column in plan.indices:
        name = label(column)
        cells = [_cell(r, lambda result, name=name: result.indices.get(name), over) for r in results.values()]
        if any(cell.values for cell in cells):
            heads.append(Head.of(column, name))
            columns.append(_ranked(cells, heads[-1], plan.seed))
    for measure in plan.measures:
        heads.append(Head(TITLES[measure], digits=MEASURES[measure]))
        columns.append([_cell(r, lambda result, m=measure: result.costs[m], over) for r in results.values()])
    published = paper.get("tables", {}).get(data, {})
    titles = tuple(head.title for head in heads)
    lines = [
        (method, tuple(_beside(cell, published, method, title) for cell, title in zip(cells, titles)))
        for method, cells in zip(results, zip(*columns))
    ]
    return Table(data, tuple(heads), tuple(lines), paper.get("source", "") if published else "")


def _row(method: Method, over: str) -> str:
    """The method's label without its choice on the axis of repetitions."""
    if over not in method.tags:
        return method.label
    return ", ".join(choice for axis, choice in method.tags.items() if axis != over)


def _cell(results: Iterable[Result], value: Any, over: str) -> Cell:
    """Of a row's results: the value of every image (one measured under both protocols counts once for each), or where
    the row has repetitions the mean of every one."""
    values: dict[str, list[float]] = defaultdict(list)
    for result in results:
        if (number := value(result)) is not None:
            values[result.tags.get(over) or f"{result.image}, {result.protocol}"].append(float(number))
    return Cell({name: statistics.fmean(numbers) for name, numbers in values.items()})


def _beside(cell: Cell, published: dict[str, Any], row: str, column: str) -> Cell:
    """The cell with the number of the paper, where it has one."""
    if row not in published.get("rows", {}) or column not in published["columns"]:
        return cell
    value = published["rows"][row][published["columns"].index(column)]
    mean, std = value if isinstance(value, list) else (value, math.nan)
    return replace(cell, paper=(float(mean), float(std), math.nan))


def _ranked(cells: list[Cell], head: Head, seed: int) -> list[Cell]:
    """Ranks of the means as they are printed; who is as good as the best, by paired bootstrap over the images."""
    printed = [round(head.shortfall(cell.mean), head.digits) for cell in cells]
    order = sorted({value for value in printed if not math.isnan(value)})
    if not order:
        return cells
    best = cells[printed.index(order[0])]
    ranked = []
    for cell, value in zip(cells, printed):
        rank = order.index(value) + 1 if value in order[:2] else 0
        p = paired(cell.values, best.values, seed)
        ranked.append(replace(cell, rank=rank, p=p, same=value != order[0] and p >= LEVEL))
    return ranked


def paired(a: dict[str, float], b: dict[str, float], seed: int = 0) -> float:
    """Two-sided p of the mean difference over the images of both, by bootstrap of the images; nan for too few."""
    common = [image for image in a if image in b]
    if len(common) < FEWEST:
        return math.nan
    differences = np.array([a[image] - b[image] for image in common])
    drawn = np.random.default_rng(seed).integers(len(common), size=(DRAWS, len(common)))
    means = differences[drawn].mean(axis=1)
    return float(min(1.0, 2 * min((means <= 0).mean(), (means >= 0).mean())))


def _matrices(plan: Plan, rows: Rows, paper: dict[str, Any]) -> list[Table]:
    """An index, a choice of the axis that is compared: rows by another axis, columns by data; all else is averaged."""
    axis, baseline = plan.layout.against
    data = tuple(dict.fromkeys(data.name for data in plan.data))
    choices = [c for c in dict.fromkeys(method.tags[axis] for method, _ in rows) if c != baseline]
    names = tuple(dict.fromkeys(method.tags[plan.layout.rows] for method, _ in rows))
    tables = []
    for column in plan.indices:
        head = Head.of(column, "")
        for choice in choices:
            published = paper.get("tables", {}).get(choice, {}).get(label(column), {})
            lines = []
            for name in names:
                cells = []
                for test in data:
                    values, others = (
                        _mean_over(plan, rows, label(column), (c, name, test)) for c in (choice, baseline)
                    )
                    delta = Cell(values).mean - Cell(others).mean
                    cell = Cell(values, delta=delta, p=paired(values, others, plan.seed))
                    if test in published.get("columns", ()) and name in published["rows"]:
                        mean, printed_delta = published["rows"][name][published["columns"].index(test)]
                        cell = replace(cell, paper=(mean, math.nan, printed_delta))
                    cells.append(cell)
                lines.append((name, tuple(cells)))
            title = f"{label(column)}{head.arrow}, {choice} (in brackets: against {baseline})"
            heads = tuple(replace(head, title=test) for test in data)
            corner = f"{plan.layout.rows} \\ tested on"
            note = paper.get("source", "") if published else ""
            tables.append(Table(title, heads, tuple(lines), note, corner))
    return tables


def _mean_over(plan: Plan, rows: Rows, name: str, where: tuple[str, str, str]) -> dict[str, float]:
    """Of every image, the mean over the methods that differ in other axes alone."""
    choice, row, data = where
    values: dict[str, list[float]] = defaultdict(list)
    for method, result in rows:
        tags = (method.tags[plan.layout.against[0]], method.tags[plan.layout.rows], result.data)
        if tags == (choice, row, data) and (value := result.indices.get(name)) is not None:
            values[f"{result.image}, {result.protocol}"].append(value)
    return {image: statistics.fmean(numbers) for image, numbers in values.items()}
