"""What a run tells: rows in CSV files, a progress bar, TensorBoard's events where they are wanted."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from panflow.errors import MissingExtra
from panflow.training.recipe import Run

LOSSES = ("step", "player", "loss", "norm", "rate", "seconds")
SCORES = ("step", "pair", "sam", "ergas")


class Table:
    """A CSV file that a resumed run continues after its last step."""

    def __init__(self, path: Path, columns: tuple[str, ...], step: int):
        kept: list[dict[str, str]] = []
        if path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                kept = [row for row in csv.DictReader(file) if row["step"].isdigit() and int(row["step"]) <= step]
        self._file = path.open("w", newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._file, columns, extrasaction="ignore")
        self._writer.writeheader()
        self._writer.writerows(kept)

    def add(self, **row: Any) -> None:
        self._writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class Log:
    """losses.csv, validation.csv, the bar; a context that closes them."""

    def __init__(self, folder: Path, run: Run, step: int, show: bool):
        self._losses = Table(folder / "losses.csv", LOSSES, step)
        self._scores = Table(folder / "validation.csv", SCORES, step)
        self._every, self._first, self._start = run.log, step, time.monotonic()
        self._events = _events(folder) if run.tensorboard else None
        self._bar = _bar(show)
        self._task = self._bar.add_task("training", total=run.steps, completed=step, loss="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()
        self._losses.close()
        self._scores.close()
        if self._events:
            self._events.close()

    def losses(self, step: int, told: dict[str, dict[str, Any]]) -> None:
        """told: of every player its loss, gradient norm and rate. Tensors are read only where a row is due."""
        if step % self._every and step != self._first + 1:
            self._bar.advance(self._task)
            return
        seconds = (time.monotonic() - self._start) / (step - self._first)
        for player, values in told.items():
            row = {key: float(value) for key, value in values.items()}
            self._losses.add(step=step, player=player, seconds=seconds, **row)
            for key, value in row.items() if self._events else ():
                self._events.add_scalar(f"{player}/{key}", value, step)
        loss = " ".join(f"{player} {float(values['loss']):.4f}" for player, values in told.items())
        self._bar.update(self._task, advance=1, loss=f"{loss}, {1 / seconds:.2f} steps/s")

    def scores(self, step: int, found: dict[str, dict[str, float]]) -> None:
        for pair, values in found.items():
            self._scores.add(step=step, pair=pair, **values)
            for key, value in values.items() if self._events else ():
                self._events.add_scalar(f"{pair}/{key}", value, step)


def _bar(show: bool) -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[loss]}"), TimeRemainingColumn())
    return Progress(*columns, disable=not show)


def _events(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise MissingExtra(
            "TensorBoard is not installed: pip install 'panflow[train]', or run.tensorboard = false"
        ) from None
    return SummaryWriter(folder)
