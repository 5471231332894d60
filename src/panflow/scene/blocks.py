"""Blocks of a scene: a sample of them, and work on many of them at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from panflow.ops.window import Core

T = TypeVar("T")
R = TypeVar("R")


def spread(cores: list[Core], count: int) -> list[Core]:
    """At most `count` of the cores, evenly spread with a seeded offset in every stretch."""
    if len(cores) <= count:
        return cores
    rng = np.random.default_rng(0)
    edges = np.linspace(0, len(cores), count + 1)
    return [cores[int(low + (high - low) * rng.random())] for low, high in pairwise(edges)]


def overlapped(work: Callable[[T], R], items: Iterable[T], jobs: int, flight: int) -> Iterator[R]:
    """work(item) in order, `jobs` at a time, with at most `flight` started and not yet taken.

    Libraries get one thread in each worker: a limit that the caller has set does not reach OpenMP in other threads.
    """
    pool = ThreadPoolExecutor(min(jobs, flight), initializer=threadpool_limits, initargs=(1,))
    pending: deque[Future[R]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(work, item))
            if len(pending) >= flight:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()
        pool.shutdown(wait=True)
