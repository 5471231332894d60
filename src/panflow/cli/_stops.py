"""What signals do: they end the process at once, from another thread.

Python's handlers run between two steps of the main thread, which may be in a library for minutes, or in an import that
takes an exception ill. So handlers here do nothing; the number of a signal arrives at a socket, where a thread waits
for it, removes the part files and ends the process.
"""

from __future__ import annotations

import signal
import socket
import sys
import threading
from contextlib import suppress

from panflow.files import output

STOPS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
WORDS = b"panflow: interrupted; no result was left half-written\n"
SHOW_CURSOR = b"\r\x1b[2K\x1b[?25h"  # which a progress bar hides

_ends: tuple[socket.socket, ...] = ()


def listen(code: int) -> None:
    """From now on a signal ends the process with a code, unless all that it was to write is whole."""
    global _ends
    if threading.current_thread() is not threading.main_thread():
        return
    _ends = here, there = socket.socketpair()
    there.setblocking(False)
    signal.set_wakeup_fd(there.fileno(), warn_on_full_buffer=False)
    for each in STOPS:
        if signal.getsignal(each) is not signal.SIG_IGN:  # as of a command that the shell runs behind
            signal.signal(each, lambda *_: None)
    threading.Thread(target=_wait, args=(here, code), daemon=True).start()


def deafen() -> None:
    """From now on signals do nothing: what is left is to exit."""
    with suppress(ValueError):  # in a thread
        for each in STOPS:
            signal.signal(each, signal.SIG_IGN)


def _wait(here: socket.socket, code: int) -> None:
    while here.recv(1):
        output.stop(code, (SHOW_CURSOR if sys.stderr and sys.stderr.isatty() else b"") + WORDS)
