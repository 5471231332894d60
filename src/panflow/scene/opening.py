"""A scene's files made ready: opened, the sensor recognised, MS registered, and all that a user should know of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from panflow.errors import InputError
from panflow.files.scene import Scene
from panflow.files.source import Source, sparing
from panflow.ops.cores import available
from panflow.ops.register import Registration, register
from panflow.ops.window import partition
from panflow.scene.blocks import overlapped, spread
from panflow.types import YX

WINDOWS = 8, 16  # at least, for scenes that have them, and at most: one for every million MS pixels
SIDE = 128  # MS pixels


@dataclass(frozen=True)
class Opened:
    """source: the files' windows, their phase corrected where `corrected`; offset: of MS against its georeferencing;
    notes: what was assumed, and what a user should look at."""

    source: Source
    offset: Registration
    corrected: bool
    notes: tuple[str, ...]

    @property
    def shift(self) -> YX:
        """The offset that was corrected, in PAN pixels (rows, columns)."""
        return self.offset.shift if self.corrected else (0.0, 0.0)


@contextmanager
def opened(scene: Scene, jobs: int | None = None, **gdal: Any) -> Iterator[Opened]:
    """The scene, registered as it asks, while its files are open; jobs: threads; gdal: options of GDAL.

    Matrix products of classical methods are small, and several threads would wait for each other: BLAS gets one.
    Raises InputError, MissingInput, GeometryError, UnknownName.
    """
    source = Source(scene)
    try:
        with sparing(*source.paths, **gdal), threadpool_limits(limits=1, user_api="blas"):
            offset, corrected, warnings = _registered(source, scene.register, jobs)
            yield Opened(source, offset, corrected, (*source.placement.notes, *source.notes, *warnings))
    finally:
        source.close()


def measure_offset(source: Source, jobs: int | None = None) -> Registration:
    """The offset of a scene's MS against its georeferencing, from windows spread over it; jobs: threads."""
    jobs = jobs or available()
    count = int(np.clip(np.prod(source.ms_size) / 1e6, *WINDOWS))
    cores = spread(partition(source.size, round(SIDE * max(source.placement.ratio))), count)
    each = partial(overlapped, jobs=jobs, flight=2 * jobs)
    return register(each(lambda core: source.read(core, 0), cores), each=each)


def _registered(source: Source, how: str | YX, jobs: int | None) -> tuple[Registration, bool, list[str]]:
    """The offset, measured and corrected as asked ("auto", "off") or taken as given ((dy, dx) PAN pixels).

    Also whether the source is now corrected, and warnings.
    """
    if how not in ("auto", "off"):
        offset = Registration(_pixels(how))
        source.phase = offset.phases(source.phase)
        return offset, True, []
    offset = measure_offset(source, jobs)
    large = max(map(abs, offset.shift)) > 0.5
    if how == "auto" and offset.confident:
        source.phase = offset.phases(source.phase)
        return offset, True, []
    if how == "auto" and large:
        return offset, False, ["an offset of MS was seen but not surely enough to correct it: check by eye, or set it"]
    if how == "off" and large and offset.confident:
        shift = f"{offset.shift[0]:+.2f}, {offset.shift[1]:+.2f}"
        return offset, False, [f"MS is displaced by {shift} PAN pixels and --register off leaves it so"]
    return offset, False, []


def _pixels(given: str | YX) -> YX:
    """ "DY,DX" or a pair as numbers."""
    try:
        dy, dx = (float(v) for v in (given.split(",") if isinstance(given, str) else given))
    except (TypeError, ValueError):
        dy = dx = float("nan")
    if not np.isfinite([dy, dx]).all():
        raise InputError(f"register {given!r} is unknown: expected auto, off, or DY,DX in PAN pixels")
    return dy, dx
