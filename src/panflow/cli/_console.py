"""What commands share on the console: progress over stages, and a table of a run's report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Protocol

import click

from panflow import __version__
from panflow.scene.report import Report

PROTOCOL = 1  # of --progress json and names --json; higher where a program that reads them would have to change
STAGES = {
    "fit": "learning the scene",
    "adapt": "adapting to the scene",
    "sharpen": "sharpening",
    "finish": "finishing the file",
    "scenes": "sharpening scenes",
}
UNITS = {"scenes": "scenes", "compare": "methods", "write": "files", "finish": "files"}
# Of a run's time, as it usually is, the shares at which a stage begins and ends
SPANS = {
    "fit": (0.1, 0.2),
    "adapt": (0.1, 0.2),
    "sharpen": (0.2, 0.9),
    "finish": (0.9, 1.0),
    "reduce": (0.1, 0.8),
    "write": (0.8, 1.0),
}


class Update(Protocol):
    """What hears of progress: done of total blocks (methods, files, scenes) of a stage, how many of them failed, and
    what else there is to say."""

    def __call__(self, stage: str, done: int, total: int, failed: int = 0, note: str = "") -> None: ...


@contextmanager
def progress_of(how: str, hidden: bool) -> Iterator[Update | None]:
    """A callback that writes progress to stderr as --progress asks; None where nothing is to be seen.

    hidden: whether --quiet or --json were given, which hide the bar but not lines of JSON.
    """
    if how == "json":
        yield _lines()
    elif hidden or how == "none":
        yield None
    else:
        with _bar() as update:
            yield update


def _lines() -> Update:
    """A line of JSON whenever another whole percent of a stage is done."""
    sent: dict[str, int] = {}

    def update(stage: str, done: int, total: int, failed: int = 0, note: str = "") -> None:
        percent = 100 * done // max(total, 1)
        if percent > sent.get(stage, -1):
            sent[stage] = percent
            first, last = SPANS.get(stage, (0.0, 1.0))
            share = first + (last - first) * done / max(total, 1)
            _line(
                stage=stage,
                done=done,
                total=total,
                failed=failed,
                share=round(share, 3),
                **({"note": note} if note else {}),
            )

    _line(panflow=__version__, protocol=PROTOCOL, command=click.get_current_context().info_name)
    return update


def _line(**event: object) -> None:
    click.echo(json.dumps(event), err=True)


@contextmanager
def _bar() -> Iterator[Update]:
    """A bar a stage, with rate and time left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}")]
    console = Console(stderr=True)
    with Bar(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        tasks: dict[str, tuple[TaskID, float]] = {}

        def update(stage: str, done: int, total: int, failed: int = 0, note: str = "") -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(STAGES.get(stage, stage), total=total, rate=""), perf_counter()
            task, since = tasks[stage]
            rate = f"{done / max(perf_counter() - since, 1e-3):.1f} {UNITS.get(stage, 'blocks')}/s" if done else ""
            text = STAGES.get(stage, stage) + (f", {failed} failed" if failed else "")
            bar.update(task, completed=done, total=total, rate=note or rate, description=text)

        yield update


def show(report: Report, as_json: bool, quiet: bool) -> None:
    """The report as a table, or as one JSON object; warnings go to stderr."""
    if as_json:
        click.echo(json.dumps(report.as_dict()))
        return
    if not quiet:
        lines = report.lines()
        width = max(len(name) for name, _ in lines)
        for name, value in lines:
            click.echo(f"{name.ljust(width)}  {value}")
    for warning in report.warnings:
        click.echo(f"note: {warning}", err=True)
