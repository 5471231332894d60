"""How much memory the process, or a piece of its work, takes at its peak."""

from __future__ import annotations

import ctypes
import gc
import re
import sys
from contextlib import suppress
from pathlib import Path

PROCESS = Path("/proc/self")


def peak_mib() -> float:
    """Peak resident memory of this process, MiB; nan where the system does not say."""
    with suppress(OSError):
        return _status("VmHWM")  # ru_maxrss would count what the process was forked from
    try:
        import resource
    except ImportError:  # not a Unix
        return float("nan")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


class Peak:
    """Around work: `mib` is the peak of the process's memory beyond what was in use before, as Linux counts it.

    What earlier work freed is handed back to the system first: else it would serve this work, which would then seem to
    need nothing. None on other systems.
    """

    mib: float | None = None

    def __enter__(self) -> Peak:
        gc.collect()
        with suppress(OSError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)
            (PROCESS / "clear_refs").write_text("5")  # the peak starts anew
            self._before = _status("VmRSS")
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError, AttributeError):
            self.mib = max(0.0, _status("VmHWM") - self._before)


def _status(name: str) -> float:
    """MiB of a line of the process's status."""
    line = re.search(rf"{name}:\s+(\d+) kB", (PROCESS / "status").read_text())
    if line is None:
        raise OSError(f"the system does not report {name}")
    return int(line[1]) / 1024
