"""results.jsonl: one JSON line a result, written whole or not at all, read by whoever runs the plan again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from panflow.errors import InputError, UnknownName
from panflow.files.output import append
from panflow.settings import typed

NAME = "results.jsonl"


@dataclass(frozen=True)
class Result:
    """What a method did to an image. key: of everything that the numbers depend on; indices by column label, None
    where one is not defined.

    seconds: of fitting and sharpening; evaluations: of the network, 0 for methods without one; memory: MiB that the
    process took at most beyond what it had before; environment: time, versions and device.
    """

    key: str
    method: str
    data: str
    image: str
    protocol: str
    indices: dict[str, float | None]
    seconds: float
    evaluations: int
    memory: float
    seed: int
    tags: dict[str, str] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)

    @property
    def costs(self) -> dict[str, float]:
        """What is measured beside quality, by the names of a plan's `measures`."""
        return {"evaluations": self.evaluations, "seconds": self.seconds, "memory": self.memory}


def key(*parts: Any) -> str:
    """The same for the same parts, on any machine."""
    return sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


class Ledger:
    """The results of a folder, by key."""

    def __init__(self, folder: Path):
        self.path = folder / NAME
        self.results: dict[str, Result] = {}
        if self.path.is_file():
            self._read()

    def _read(self) -> None:
        """What was written; the last line goes if it is not whole, as after a loss of power."""
        text = self.path.read_bytes()
        whole = text.rfind(b"\n") + 1
        for number, line in enumerate(text[:whole].split(b"\n")[:-1], 1):
            try:
                values = json.loads(line)
                if isinstance(values, dict) and "made" in values:  # the name of `environment` in 0.1
                    values["environment"] = values.pop("made")
                result = typed(Result, values, "result")
            except (ValueError, RecursionError, UnknownName) as error:
                raise InputError(f"{self.path}, line {number} is no result ({error}): mend or delete it") from None
            self.results[result.key] = result
        if whole < len(text):
            with self.path.open("r+b") as file:
                file.truncate(whole)

    def add(self, result: Result) -> None:
        """On disk when it returns. Raises OutputError."""
        append(self.path, json.dumps(asdict(result)))
        self.results[result.key] = result
