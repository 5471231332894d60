"""What commands share on the console: a progress bar over stages, and a table of a run's report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

import click

from panflow.scene.engine import Progress
from panflow.scene.report import Report

STAGES = {"fit": "learning the scene", "sharpen": "sharpening", "finish": "finishing the file"}


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Progress | None]:
    """A callback (stage, done, total) that draws a bar with rate and time left on stderr; None where quiet."""
    if quiet:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}")]
    console = Console(stderr=True)
    with Bar(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        tasks: dict[str, tuple[TaskID, float]] = {}

        def update(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(STAGES.get(stage, stage), total=total, rate=""), perf_counter()
            task, since = tasks[stage]
            rate = f"{done / max(perf_counter() - since, 1e-3):.1f} blocks/s" if done else ""
            bar.update(task, completed=done, total=total, rate=rate)

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
