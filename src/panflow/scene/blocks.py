"""Work on many blocks of a scene at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import threadpool_limits

T = TypeVar("T")
R = TypeVar("R")


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
