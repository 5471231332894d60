"""What sharpening costs: seconds, memory beyond what the process had, evaluations of the network."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from panflow.scene.memory import Peak
from panflow.types import Sharpener


def measure(run: Callable[[], Any], repeats: int = 1) -> tuple[Any, float, float]:
    """(what it returns, seconds, MiB of main memory at most beyond the start); of several runs the first is a
    warm-up, and the median of the others counts."""
    with Peak() as peak:
        answer, first = _timed(run)
    times = [_timed(run)[1] for _ in range(repeats - 1)]
    return answer, statistics.median(times or [first]), peak.mib or 0.0


def _timed(run: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    answer = run()
    return answer, time.perf_counter() - start


class Evaluations:
    """Counts how often a learned sharpener asks its network for an image, or for a block of a large one."""

    def __init__(self, sharpener: Sharpener):
        self._calls = self._blocks = 0
        model: Any = sharpener
        if hasattr(model, "network"):
            model.network.register_forward_pre_hook(self._called)
            self._predict = model.objective.predict
            model.objective.predict = self._predicted

    def _called(self, *_: Any) -> None:
        self._calls += 1

    def _predicted(self, *arguments: Any) -> Any:
        self._blocks += 1
        return self._predict(*arguments)

    @property
    def count(self) -> int:
        """0 for methods without a network."""
        return round(self._calls / self._blocks) if self._blocks else 0
