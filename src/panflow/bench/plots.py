"""Figures of results, drawn with matplotlib."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from panflow.bench.table import Cell, Head, Table
from panflow.errors import MissingExtra

SIZE = (7.5, 4.2)  # inches
BAD, GOOD = "inferno", "RdYlGn"  # of errors, where black is none; of HQNR, where green is good
ZOOM = 4  # times that a square of the picture is enlarged, of a quarter of its side
Panel = tuple[str, np.ndarray, np.ndarray | None]  # title, picture [h, w, 3], map [h, w]


def require() -> None:
    """Raises MissingExtra where matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingExtra("figures need matplotlib: pip install 'panflow[report]'") from None


def figure(rows: int = 1, columns: int = 1, size: tuple[float, float] = SIZE, **options: Any) -> tuple[Any, Any]:
    """A figure without a window, and its axes [rows, columns]."""
    require()
    from matplotlib.figure import Figure

    fig = Figure(figsize=size, layout="constrained", dpi=110)
    return fig, fig.subplots(rows, columns, squeeze=False, **options)


def bars(table: Table) -> Any:
    """Every index of a table as bars over its rows, deviation as whiskers; published means as dots."""
    heads = [(k, head) for k, head in enumerate(table.heads) if head.better]
    titles = [title for title, _ in table.rows]
    fig, axes = figure(1, len(heads), (1.4 * len(heads) + 1.6, 0.26 * len(titles) + 1.3), sharey=True)
    for axis, (k, head) in zip(axes[0], heads):
        cells = [cells[k] for _, cells in table.rows]
        colors = ["#1b7837" if cell.rank == 1 else "#7fbf7b" if cell.rank == 2 else "#b8c4d6" for cell in cells]
        axis.barh(
            titles, [c.mean for c in cells], xerr=[0 if math.isnan(c.std) else c.std for c in cells], color=colors
        )
        axis.plot([c.paper[0] if c.paper else math.nan for c in cells], titles, "kd", markersize=4)
        axis.set_title(head.title + head.arrow, fontsize=10)
        axis.tick_params(labelsize=8)
    axes[0, 0].invert_yaxis()
    fig.suptitle(table.title)
    return fig


def pareto(table: Table) -> Any:
    """The first index against seconds an image; the line joins what nobody beats in both."""
    time = next(k for k, head in enumerate(table.heads) if head.title == "seconds")
    head = table.heads[0]
    points = [(cells[time].mean, cells[0].mean, title) for title, cells in table.rows]
    points = sorted(p for p in points if not math.isnan(p[0] + p[1]))
    fig, axes = figure()
    axis = axes[0, 0]
    axis.scatter([p[0] for p in points], [p[1] for p in points], color="#44566c")
    for x, y, title in points:
        axis.annotate(title, (x, y), xytext=(4, 3), textcoords="offset points", fontsize=8)
    front: list[tuple[float, float, str]] = []
    for point in points:
        if not front or head.shortfall(point[1]) < head.shortfall(front[-1][1]):
            front.append(point)
    axis.step([p[0] for p in front], [p[1] for p in front], where="post", color="#1b7837")
    axis.set(xscale="log", xlabel="seconds an image", ylabel=head.title + head.arrow, title=table.title)
    axis.grid(alpha=0.3)
    return fig


def radar(title: str, spokes: Sequence[str], lines: Mapping[str, Sequence[float]]) -> Any:
    """Lines of values over the same spokes, outwards as they rise."""
    fig, axes = figure(1, 1, (4.8, 4.4), subplot_kw={"projection": "polar"})
    axis, angles = axes[0, 0], np.linspace(0, 2 * np.pi, len(spokes), endpoint=False)
    for name, values in lines.items():
        axis.plot([*angles, angles[0]], [*values, values[0]], label=name)
    axis.set_xticks(angles, spokes)
    axis.set_title(title)
    axis.legend(loc="lower left", bbox_to_anchor=(-0.25, -0.15), fontsize=8)
    return fig


def heat(table: Table) -> Any:
    """A matrix as a heat map of the differences from the baseline: green is better."""
    worse = table.heads[0].shortfall
    delta = np.array([[worse(c.mean - c.delta) - worse(c.mean) for c in cells] for _, cells in table.rows])
    most = float(np.nanmax(np.abs(delta))) or 1.0 if np.isfinite(delta).any() else 1.0
    rows, columns = delta.shape
    fig, axes = figure(1, 1, (1.5 * columns + 1.6, 0.5 * rows + 1.2))
    axis = axes[0, 0]
    axis.imshow(delta, cmap=GOOD, vmin=-1.5 * most, vmax=1.5 * most, aspect="auto")  # dark ends hide numbers
    axis.set_xticks(range(columns), [head.title for head in table.heads])
    axis.set_yticks(range(rows), [title for title, _ in table.rows])
    for y, (_, cells) in enumerate(table.rows):
        for x, (cell, head) in enumerate(zip(cells, table.heads)):
            text = f"{cell.mean:.{head.digits}f}\n{cell.delta:+.{head.digits}f}"
            axis.text(x, y, text, ha="center", va="center", fontsize=8)
    axis.set_ylabel(table.corner, fontsize=8)
    axis.set_title(table.title, fontsize=9)
    return fig


def curves(name: str, panels: dict[Head, dict[str, dict[float, Cell]]], baseline: dict[Head, Cell]) -> Any:
    """Every index over a parameter, a line a choice; the baseline as a dashed line."""
    fig, axes = figure(1, len(panels), (3.1 * len(panels), 3.2))
    for axis, (head, lines) in zip(axes[0], panels.items()):
        for line, cells in lines.items():
            axis.plot(list(cells), [cell.mean for cell in cells.values()], "o-", label=line, markersize=4)
        if head in baseline:
            axis.axhline(baseline[head].mean, linestyle="--", color="gray", label="baseline")
        axis.set(xscale="log", xlabel=name, title=head.title + head.arrow)
        axis.grid(alpha=0.3)
    axes[0, 0].legend(fontsize=8)
    return fig


def maps(title: str, panels: Sequence[Panel], error: bool) -> Any:
    """Pictures with the same square enlarged, and below each its map on one common scale."""
    from matplotlib.patches import Rectangle

    across = 6
    chunks = [panels[k : k + across] for k in range(0, len(panels), across)]
    fig, axes = figure(2 * len(chunks), across, (2.1 * across, 4.4 * len(chunks)))
    values = [m for _, _, m in panels if m is not None]
    tops = [np.nanpercentile(m, 99) for m in values]  # the median of them: one wild image changes nothing for others
    low, high = (0.0, float(np.median(tops))) if error else (float(min(map(np.nanmin, values))), 1.0)
    side = max(8, min(panels[0][1].shape[:2]) // ZOOM)
    (top, left), last = richest(panels[0][1], side), None
    for above, below, chunk in zip(axes[::2], axes[1::2], chunks):
        for one, two, panel in zip_longest(above, below, chunk):
            one.set_axis_off()
            two.set_axis_off()
            if panel is None:
                continue
            name, picture, values_ = panel
            one.imshow(picture)
            one.add_patch(Rectangle((left, top), side, side, fill=False, edgecolor="red"))
            inset = one.inset_axes((0.52, 0.0, 0.48, 0.48))
            inset.imshow(picture[top : top + side, left : left + side])
            inset.set(xticks=[], yticks=[])
            for spine in inset.spines.values():
                spine.set_color("red")
            one.set_title(name, fontsize=9)
            if values_ is not None:
                last = two.imshow(values_.astype(float), cmap=BAD if error else GOOD, vmin=low, vmax=high)
    fig.colorbar(last, ax=axes, shrink=0.5, label="error, parts of full scale" if error else "HQNR")
    fig.suptitle(title)
    return fig


def richest(picture: np.ndarray, side: int) -> tuple[int, int]:
    """Upper left corner of the square with the strongest median gradient."""
    gray = picture.astype(float).mean(-1)
    slope = np.abs(np.diff(gray, axis=0, prepend=gray[:1])) + np.abs(np.diff(gray, axis=1, prepend=gray[:, :1]))
    rows, columns = (range(0, n - side + 1, max(1, side // 2)) for n in gray.shape)
    corners = [(y, x) for y in rows for x in columns]
    return max(corners, key=lambda c: float(np.median(slope[c[0] : c[0] + side, c[1] : c[1] + side])))


def distributions(title: str, samples: dict[str, np.ndarray]) -> Any:
    """A matrix over sensors: densities of one (diagonal) or of both (above), quantiles against quantiles (below)."""
    from scipy.stats import gaussian_kde

    names = list(samples)
    fig, axes = figure(len(names), len(names), (1.7 * len(names),) * 2)
    low = min(float(x.min()) for x in samples.values())
    high = max(float(x.max()) for x in samples.values())
    grid = np.linspace(low, high, 200)
    density = {name: gaussian_kde(x + 1e-9 * np.arange(len(x)))(grid) for name, x in samples.items()}
    levels = np.linspace(0, 1, 60)
    for i, one in enumerate(names):
        for j, two in enumerate(names):
            axis = axes[i, j]
            axis.tick_params(labelsize=6)
            if i <= j:
                for name in {one: 0, two: 0}:
                    axis.fill_between(grid, density[name], alpha=0.5, color=f"C{names.index(name)}")
                axis.set_yticks([])
            else:
                axis.plot(np.quantile(samples[two], levels), np.quantile(samples[one], levels), ".", markersize=3)
                axis.plot([low, high], [low, high], "k--", linewidth=0.7)
            if i == 0:
                axis.set_title(two, fontsize=8)
            if j == 0:
                axis.set_ylabel(one, fontsize=8)
    fig.suptitle(title)
    return fig


def sensors(states: dict[str, dict[str, np.ndarray]]) -> Any:
    """The two principal components of pixels [n, C] of all sensors, a panel a state: before and after."""
    fig, axes = figure(1, len(states), (3.6 * len(states), 3.6))
    for axis, (state, samples) in zip(axes[0], states.items()):
        joined = np.concatenate(list(samples.values()))
        scale = joined.std(0) + 1e-12
        _, _, directions = np.linalg.svd((joined - joined.mean(0)) / scale, full_matrices=False)
        for name, pixels in samples.items():
            x, y = ((pixels - joined.mean(0)) / scale @ directions[:2].T).T
            axis.scatter(x, y, s=3, alpha=0.5, label=name)
        axis.set(title=state, xlabel="first component", ylabel="second component")
    axes[0, 0].legend(fontsize=8, markerscale=3)
    return fig
