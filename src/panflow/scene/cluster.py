"""One scene on the workers of a dask cluster: they compute and compress blocks, and one process writes."""

from __future__ import annotations

import os
import re
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import islice
from math import ceil
from typing import Any, TypeVar, cast

import numpy as np
from rasterio.windows import Window
from threadpoolctl import threadpool_limits

from panflow import __version__
from panflow.errors import InputError, MissingExtra, OutOfMemory, PanflowError
from panflow.files.scene import Scene
from panflow.files.source import Source, open_dataset, sparing
from panflow.ops.displacement_field import DisplacementField
from panflow.ops.memory import keep_freed
from panflow.ops.window import Core
from panflow.scene import engine
from panflow.scene.engine import Run, Work
from panflow.types import YX, Sensor

T = TypeVar("T")
GROUP = 0.5  # seconds of work that are worth a task: its overhead is some milliseconds
LARGEST = 32  # blocks of a group
AHEAD = 4  # groups under way for every thread of the cluster, finished ones included
RETRIES = 2  # of a group whose worker is lost
PROBES = 16  # places at which files are compared
PATIENCE = "20s"


@contextmanager
def connected(scheduler: Any) -> Iterator[Any]:
    """A client of the scheduler at an address; a client that is given is used as it is. Raises MissingExtra,
    InputError."""
    if not isinstance(scheduler, str):
        yield scheduler
        return
    try:
        from distributed import Client
    except ImportError:
        raise MissingExtra('a dask cluster needs distributed: pip install "panflow[dask]"') from None
    try:
        client = Client(scheduler, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise InputError(f"no dask scheduler answers at {scheduler}: {error}") from None
    with client:
        yield client


@dataclass(frozen=True)
class _Job:
    """What workers must have of a scene; run: without its windows, which are opened where it arrives."""

    token: str
    scene: Scene
    phase: tuple[YX, ...]
    field: DisplacementField | None
    sensor: Sensor
    run: Run
    work: Work


def each(client: Any, scene: Scene, field: DisplacementField | None, run: Run, work: Work[T]) -> Iterator[T]:
    """As `Run.each`, by the workers of a cluster: work(core, image, valid) of every tile, in order.

    field: that MS was straightened by. work and the fitted sharpener go to the workers by pickle, the results come
    back. Tiles are grouped so that a group takes about half a second. A group waits with its worker until it is asked
    for: here are never more than one. Raises InputError, before any work, where workers cannot open the files or see
    others under their names.
    """
    scene = _absolute(scene)
    _require_workers(client, scene)
    source = run.windows
    token = blake2b(os.urandom(16), digest_size=8).hexdigest()
    bare = replace(run, windows=cast(Any, None), progress=None)
    job = _Job(token, scene, source.phase, field, source.sensor, bare, work)
    sent = client.submit(_given, job, key=f"panflow-{token}")
    slots = sum(worker["nthreads"] for worker in client.scheduler_info(n_workers=-1)["workers"].values())
    return engine.reported("sharpen", _gathered(client, sent, run.tiles, slots), len(run.tiles), run.progress)


def _gathered(client: Any, job: Any, tiles: Sequence[Core], slots: int) -> Iterator[Any]:
    waiting, pending, size, number = iter(tiles), deque[Any](), 1, 0
    try:
        while True:
            while len(pending) < AHEAD * slots and (group := list(islice(waiting, size))):
                key = f"{job.key}-{(number := number + 1)}"
                pending.append(client.submit(_tiles, job, group, key=key, retries=RETRIES, priority=-number))
            if not pending:
                return
            results, seconds = _result(pending.popleft())
            size = min(LARGEST, max(1, ceil(GROUP * len(results) / max(seconds, 1e-3))))
            yield from results
    finally:
        client.cancel([*pending, job])


def _result(future: Any) -> tuple[list[Any], float]:
    from distributed import KilledWorker

    try:
        return future.result()
    except KilledWorker:
        raise OutOfMemory("workers of the cluster were killed again and again: have they too little memory?") from None
    except PanflowError:
        raise
    except Exception as error:
        raise PanflowError(f"the cluster lost the scene: {type(error).__name__}: {error}") from error


def _given(job: _Job) -> _Job:
    return job


_lock = threading.Lock()
_ready: dict[str, tuple[Source, Run]] = {}  # of this worker: the scene that is worked on, opened


def _tiles(job: _Job, group: Sequence[Core]) -> tuple[list[Any], float]:
    """On a worker: the results of some tiles, and the seconds that they took."""
    keep_freed()  # dask starts workers so that they hand every image back to the system, which doubles the time
    with _lock:
        if job.token not in _ready:
            _ready.clear()
            engine.load_loops(job.run.part)
            source = Source(job.scene)
            source.phase, source.sensor = job.phase, job.sensor
            if job.field:
                source.straighten(job.field)
            _ready[job.token] = source, replace(job.run, windows=source)
        source, run = _ready[job.token]
    started = time.perf_counter()
    with sparing(*source.paths), threadpool_limits(limits=1):
        results = [run.tile(core, job.work) for core in group]
    return results, time.perf_counter() - started


def _require_workers(client: Any, scene: Scene) -> None:
    """InputError where there is no worker, or one that has not the same files or the same panflow."""
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        raise InputError("the dask cluster has no workers: start some by `dask worker ADDRESS`") from None
    files = list(dict.fromkeys(scene.files))
    expected = _seen(files)
    for worker, answer in client.run(_seen, files, on_error="return").items():
        if isinstance(answer, Exception):
            raise InputError(f"the worker {worker} cannot take part: {answer}; it needs panflow {__version__}")
        if answer[0] != __version__:
            raise InputError(f"the worker {worker} has panflow {answer[0]}: expected {__version__} everywhere")
        for path, here, there in zip(files, expected[1], answer[1]):
            if there is None:
                raise InputError(f"the worker {worker} cannot open {path}: expected a folder that all workers share")
            if there != here:
                raise InputError(f"the worker {worker} sees another file as {path}: expected the same one everywhere")


def _seen(files: Sequence[str]) -> tuple[str, list[str | None]]:
    """The version of panflow, and a digest of each file's shape and of pixels all over it; None: it cannot be read."""
    return __version__, [_digest(path) for path in files]


def _digest(path: str) -> str | None:
    try:
        with open_dataset(path, "input") as dataset:
            result = blake2b(repr((dataset.shape, dataset.dtypes, dataset.transform)).encode(), digest_size=16)
            rows, columns = (np.linspace(0, n - 1, PROBES).astype(int) for n in dataset.shape)
            for row, column in zip(rows.tolist(), np.roll(columns, PROBES // 3).tolist()):
                result.update(dataset.read(window=Window(column, row, 64, 1).intersection(_all(dataset))).tobytes())
            return result.hexdigest()
    except (PanflowError, OSError, RuntimeError):
        return None


def _all(dataset: Any) -> Window:
    return Window(0, 0, dataset.width, dataset.height)


def _absolute(scene: Scene) -> Scene:
    """With names that mean the same in every folder."""

    def whole(name: str) -> str:
        return name if re.match(r"^([a-z][a-z0-9+.-]*:|/vsi)", name, re.IGNORECASE) else os.path.abspath(name)

    return replace(scene, pan=whole(scene.pan), ms=tuple(map(whole, scene.ms)))


__all__ = ["connected", "each"]
