"""What sharpening costs: seconds, and memory beyond what the process had."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from panflow.scene.memory import Peak


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
