"""Rows on this machine, one process each: twice as fast as threads within a scene, and a crash takes one scene."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from typing import Any, NoReturn

from panflow.archive.rows import Row
from panflow.archive.work import INTERRUPTED, KILLED, Outcome, sharpen_row

PR_SET_PDEATHSIG = 1  # of prctl: the signal that a process gets when its parent is gone
busy = False  # whether this worker has a scene in hand
parent = 0  # the process of the batch that this worker serves


class Processes:
    """As many worker processes as slots; a slot's process is started when needed, and anew where it was killed."""

    def __init__(self, workers: int):
        self.slots = workers
        self._pools: dict[int, ProcessPoolExecutor] = {}
        self._stopped = False

    def attempt(self, slot: int, row: Row, options: Mapping[str, Any]) -> Outcome:
        if self._stopped:
            return Outcome(INTERRUPTED, "interrupted", may_pass=True)
        if slot not in self._pools:
            context = multiprocessing.get_context("spawn")
            self._pools[slot] = ProcessPoolExecutor(
                1, mp_context=context, initializer=_prepare, initargs=(os.getpid(),)
            )
        try:
            return self._pools[slot].submit(_work, row, dict(options)).result()
        except BrokenProcessPool:
            self._pools.pop(slot).shutdown(wait=False)
            if self._stopped:
                return Outcome(INTERRUPTED, "interrupted", may_pass=True)
            return Outcome(KILLED, "the worker was killed (out of memory, or by somebody)", may_pass=True)

    def stop(self) -> None:
        self._stopped = True
        for child in multiprocessing.active_children():
            child.terminate()

    def close(self) -> None:
        for pool in self._pools.values():
            pool.shutdown(wait=True, cancel_futures=True)


def _prepare(batch: int) -> None:
    """The batch decides what a Ctrl-C means; a worker whose batch is gone goes too."""
    global parent
    parent = batch
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _terminated)
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    _leave_alone()


def _leave_alone() -> None:
    """Ends the worker where nobody is there to take its results."""
    if hasattr(os, "getppid") and os.getppid() != parent:
        os._exit(1)


def _terminated(*_: object) -> NoReturn:
    if busy:
        raise KeyboardInterrupt
    os._exit(0)


def _work(row: Row, options: dict[str, Any]) -> Outcome:
    global busy
    busy = True
    try:
        return sharpen_row(row, options)
    except KeyboardInterrupt:
        return Outcome(INTERRUPTED, "interrupted", may_pass=True)
    finally:
        busy = False
        _leave_alone()
