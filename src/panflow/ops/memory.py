"""How much memory there is, and what the process does with what it has freed."""

import ctypes
import re
from contextlib import suppress
from functools import cache
from pathlib import Path

from panflow.errors import OutOfMemory

TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8  # of glibc's mallopt
SURELY = 1.5  # times what is there: estimates are off by less
KEPT = 2**28  # bytes of freed memory that stay with the process


@cache
def keep_freed() -> None:
    """Tell glibc to keep freed memory: images of some MiB, taken from the system anew for every block and every layer,
    cost up to a fifth of the time in page faults. Elsewhere nothing happens."""
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in ((TRIM_THRESHOLD, KEPT), (MMAP_THRESHOLD, KEPT), (ARENA_MAX, 1)):
            mallopt(option, value)


def available_mib() -> float:
    """Memory that could be had now, MiB, swap included; inf where the system does not say."""
    with suppress(OSError):
        values = dict(re.findall(r"(\w+):\s+(\d+) kB", Path("/proc/meminfo").read_text()))
        if "MemAvailable" in values:
            return (int(values["MemAvailable"]) + int(values.get("SwapFree", 0))) / 1024
    return float("inf")


def require_room(mib: float, what: str, instead: str = "take less of it, or a machine with more") -> None:
    """OutOfMemory, before any is taken, where something clearly needs more than there is."""
    there = available_mib()
    if mib > SURELY * there:
        raise OutOfMemory(f"{what} needs about {mib:,.0f} MiB of memory, and {there:,.0f} are there: {instead}")
