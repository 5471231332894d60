"""How much memory a piece of work takes at its peak."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

PROCESS = Path("/proc/self")


class Peak:
    """Around work: `mib` is the peak of the process's memory beyond what was in use before, as Linux counts it.

    Memory that earlier work returned to the allocator but not to the system is used again and not counted. None on
    other systems.
    """

    mib: float | None = None

    def __enter__(self) -> Peak:
        with suppress(OSError):
            (PROCESS / "clear_refs").write_text("5")  # the peak starts anew
            self._before = _status("VmRSS")
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError, AttributeError):
            self.mib = max(0.0, _status("VmHWM") - self._before)


def _status(name: str) -> float:
    """MiB of a line of the process's status."""
    found = re.search(rf"{name}:\s+(\d+) kB", (PROCESS / "status").read_text())
    if found is None:
        raise OSError(f"the system does not tell {name}")
    return int(found[1]) / 1024
