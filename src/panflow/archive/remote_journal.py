"""The journal of a batch whose results are remote, where nothing can be appended to a file."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from panflow.archive.journal import NAME, Entry
from panflow.files import output
from panflow.files.remote import Remote

FOLDER = ".panflow-batch"  # of the lines that are not joined yet
LINES = 64  # of one object, which is written anew with every line


class RemoteJournal:
    """As `Journal`. A run puts its lines into objects of its own, so that the tasks of a job array do not meet; what
    ends alone joins all of them into the one file, a task of an array leaves them to the next run of the whole."""

    def __init__(self, folder: Remote, alone: bool = True):
        self.path, self._folder, self._alone = folder / NAME, folder / FOLDER, alone
        self._run = f"{time.time_ns()}-{socket.gethostname()}-{os.getpid()}"
        self._lines: list[str] = []
        self._lock = threading.Lock()

    def add(self, entry: Entry) -> None:
        """There when this returns. Raises OutputError."""
        self._put(asdict(entry))

    def begin(self, name: str, out: Any) -> None:
        """Notes that a row was taken up: a kill between a result and its entry leaves a result that is ours."""
        self._put([name, str(out)])

    def begun(self) -> set[tuple[str, str]]:
        """(id, result) of the rows that were taken up since a run came to its end."""
        return {(values[0], values[1]) for values in self._unjoined() if isinstance(values, list)}

    def last(self) -> dict[str, Entry]:
        """The last entry of every row."""
        joined = _values(self.path.read_bytes()) if self.path.exists() else iter(())
        entries: dict[str, Entry] = {}
        for values in (*joined, *self._unjoined()):
            with suppress(TypeError):
                entry = Entry(**values)
                if entry.id not in entries or entry.ended >= entries[entry.id].ended:
                    entries[entry.id] = entry
        return entries

    def ended(self) -> None:
        if not self._alone:
            return
        parts = list(self._folder.iterdir())
        lines = [json.dumps(asdict(entry), allow_nan=False) + "\n" for entry in self.last().values()]
        output.write(self.path, "".join(lines))
        for part in parts:
            part.unlink()

    def _put(self, values: Any) -> None:
        with self._lock:
            self._lines.append(json.dumps(values, allow_nan=False) + "\n")
            number = (len(self._lines) - 1) // LINES
            text = "".join(self._lines[number * LINES :])
            output.write(self._folder / f"{self._run}-{number:06d}", text)

    def _unjoined(self) -> Iterator[Any]:
        for path in self._folder.iterdir():
            yield from _values(path.read_bytes())


def _values(data: bytes) -> Iterator[Any]:
    for line in data.decode(errors="replace").splitlines():
        with suppress(json.JSONDecodeError):
            yield json.loads(line)
