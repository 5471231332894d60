"""What the process does with memory that it has freed."""

import ctypes
from contextlib import suppress
from functools import cache

TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8  # of glibc's mallopt
KEPT = 2**28  # bytes of freed memory that stay with the process


@cache
def keep_freed() -> None:
    """Tell glibc to keep freed memory: images of some MiB, taken from the system anew for every block and every layer,
    cost up to a fifth of the time in page faults. Elsewhere nothing happens."""
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in ((TRIM_THRESHOLD, KEPT), (MMAP_THRESHOLD, KEPT), (ARENA_MAX, 1)):
            mallopt(option, value)
