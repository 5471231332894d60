"""How many processor cores this process may use."""

from __future__ import annotations

import os
from contextlib import suppress
from math import ceil
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def available() -> int:
    """Cores of the machine, less what a scheduler, a container's quota or `taskset` keeps from this process; >= 1."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # no such thing outside of Linux
        count = os.cpu_count() or 1
    return max(1, min(count, _quota(CGROUP) or count))


def _quota(folder: Path) -> int | None:
    """Cores' worth of time that a control group grants, rounded up; None without a limit."""
    with suppress(OSError, ValueError):
        limit, period = (folder / "cpu.max").read_text().split()
        return None if limit == "max" else ceil(int(limit) / int(period))
    with suppress(OSError, ValueError):
        limit, period = ((folder / "cpu" / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return None if int(limit) <= 0 else ceil(int(limit) / int(period))
    return None
