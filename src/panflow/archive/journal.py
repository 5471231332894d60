"""The journal of a batch: one JSON line for every row that has ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Any

from panflow.files.output import append

NAME = "panflow-batch.jsonl"
BEGUN = ".panflow-batch.begun"  # rows that were taken up since the last run that came to its end
DONE, FAILED = "done", "failed"


@dataclass(frozen=True)
class Entry:
    """How a row ended. digest: of its options (`Row.digest`); seconds: of the last attempt; report: of a run that is
    done, as `panflow sharpen --json` prints it."""

    id: str
    state: str
    exit_code: int
    sentence: str
    out: str
    digest: str
    version: str
    seconds: float
    attempts: int
    host: str
    ended: str
    report: dict[str, Any] | None = None


class Journal:
    """A file that entries are added to, by several processes at once if need be."""

    def __init__(self, folder: Path):
        self.path, self._begun = folder / NAME, folder / BEGUN

    def add(self, entry: Entry) -> None:
        """On disk when this returns. Raises OutputError."""
        append(self.path, json.dumps(asdict(entry), allow_nan=False))

    def begin(self, name: str, out: PurePath) -> None:
        """Notes that a row was taken up: a kill between a result and its entry leaves a result that is ours."""
        append(self._begun, json.dumps([name, str(out)]))

    def begun(self) -> set[tuple[str, str]]:
        """(id, result) of the rows that were taken up since a run came to its end."""
        return {(name, out) for name, out in _lines(self._begun)}

    def ended(self) -> None:
        self._begun.unlink(missing_ok=True)

    def last(self) -> dict[str, Entry]:
        """The last entry of every row; lines that were cut off count as absent."""
        entries: dict[str, Entry] = {}
        for values in _lines(self.path):
            with suppress(TypeError):
                entry = Entry(**values)
                entries[entry.id] = entry
        return entries


def _lines(path: Path) -> Iterator[Any]:
    with suppress(FileNotFoundError):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(json.JSONDecodeError):
                yield json.loads(line)
