"""What sharpening costs: seconds, memory beyond what the process had, evaluations of the network."""

from __future__ import annotations

import ctypes
import gc
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from panflow.scene.report import peak_mib
from panflow.types import Sharpener

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def measure(run: Callable[[], Any], repeats: int = 1) -> tuple[Any, float, float]:
    """(what it returns, seconds, MiB of main memory at most beyond the start); of several runs the first is a
    warm-up, and the median of the others counts."""
    before = _reset()
    answer, first = _timed(run)
    memory = max(0.0, _peak() - before)
    times = [_timed(run)[1] for _ in range(repeats - 1)]
    return answer, statistics.median(times or [first]), memory


def _timed(run: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    answer = run()
    return answer, time.perf_counter() - start


def _reset() -> float:
    """Forgets the process's peak where the system can (Linux), and says in MiB where it stands.

    What was freed is handed back first: else it would serve the next run, which would then seem to need nothing.
    """
    gc.collect()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        CLEAR.write_text("5")
    except OSError:
        return peak_mib()
    return _status("VmRSS")


def _peak() -> float:
    return _status("VmHWM") if STATUS.is_file() else peak_mib()


def _status(name: str) -> float:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


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
