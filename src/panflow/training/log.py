"""The log of a run: rows in CSV files, a progress bar, TensorBoard's events where they are wanted."""

from __future__ import annotations

import csv
import io
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from panflow.errors import MissingExtra, OutputError
from panflow.files import output
from panflow.training.recipe import Run

LOSSES = ("step", "player", "loss", "norm", "rate", "seconds")
SCORES = ("step", "pair", "sam", "ergas")
DIAGNOSTICS = ("step", "name", "value")


class Table:
    """A CSV file that a resumed run continues after its last step."""

    def __init__(self, path: Path, columns: tuple[str, ...], step: int):
        kept: list[dict[str, str]] = []
        if path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                kept = [row for row in csv.DictReader(file) if row["step"].isdigit() and int(row["step"]) <= step]
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(kept)
        output.write(path, text.getvalue())
        self._path, self._file = path, path.open("a", newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._file, columns, extrasaction="ignore")

    def add(self, **row: Any) -> None:
        try:
            self._writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})
            self._file.flush()
        except OSError as error:
            raise OutputError(f"{self._path} cannot be written: {error.strerror}") from None

    def close(self) -> None:
        with suppress(OSError):  # of a row that could not be written before
            self._file.close()


class Log:
    """losses.csv, diagnostics.csv (the objective's log), validation.csv, the bar; a context that closes them.

    `main`: only one of several processes writes.
    """

    def __init__(self, folder: Path, run: Run, step: int, show: bool, main: bool = True):
        files = {"losses": LOSSES, "diagnostics": DIAGNOSTICS, "validation": SCORES} if main else {}
        done = {"validation": step - 1}  # that of the step at which a run is taken up comes again
        self._tables = {
            name: Table(folder / f"{name}.csv", columns, done.get(name, step)) for name, columns in files.items()
        }
        self._every, self._first, self._start = run.log, step, time.monotonic()
        self._events: Any = _events(folder) if run.tensorboard and main else None
        self._bar = _bar(show)
        self._task = self._bar.add_task("training", total=run.steps, completed=step, loss="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()
        for each in (*self._tables.values(), *([self._events] if self._events else [])):
            each.close()

    def step(self, step: int, losses: dict[str, dict[str, Any]], objective: Any) -> None:
        """losses: of every player loss, gradient norm and rate; objective: whose `log` has more. Tensors are read
        only where a row is due."""
        if step % self._every and step != self._first + 1:
            self._bar.advance(self._task)
            return
        seconds = (time.monotonic() - self._start) / (step - self._first)
        for player, values in losses.items():
            row = {key: float(value) for key, value in values.items()}
            self._write("losses", step, player, row, player=player, seconds=seconds, **row)
        for name, value in objective.log.items():
            self._write("diagnostics", step, "objective", {name: value}, name=name, value=value)
        loss = " ".join(f"{player} {float(values['loss']):.4f}" for player, values in losses.items())
        self._bar.update(self._task, advance=1, loss=f"{loss}, {1 / seconds:.2f} steps/s")

    def scores(self, step: int, scores: dict[str, dict[str, float]]) -> None:
        for pair, values in scores.items():
            self._write("validation", step, pair, values, pair=pair, **values)

    def _write(self, table: str, step: int, group: str, curves: dict[str, float], **row: Any) -> None:
        """A row of a table, and its numbers as TensorBoard's curves."""
        if table in self._tables:
            self._tables[table].add(step=step, **row)
        for key, value in curves.items() if self._events else ():
            self._events.add_scalar(f"{group}/{key}", value, step)


def _bar(show: bool) -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[loss]}"), TimeRemainingColumn())
    return Progress(*columns, disable=not show)


def _events(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError:
        raise MissingExtra(
            "TensorBoard is not installed: pip install 'panflow[train]', or run.tensorboard = false"
        ) from None
    return SummaryWriter(folder)
