"""A scene's files, opened, the sensor recognised, MS registered, and all that a user should know of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from math import ceil, nan
from typing import Any

from threadpoolctl import threadpool_limits

from panflow.errors import InputError
from panflow.files.scene import Scene
from panflow.files.source import Source, sparing
from panflow.ops import mtf
from panflow.ops.cores import available
from panflow.ops.mtf import MTF
from panflow.ops.register import SEARCH, Registration, register
from panflow.ops.window import Core, windows
from panflow.scene.blocks import overlapped
from panflow.types import YX, Pair, yx

FARTHEST = 1000  # PAN pixels that a given offset may have
WIDEST = 200  # PAN pixels that may be searched for one


@dataclass(frozen=True)
class Opened:
    """source: the files' windows, their phase corrected where `corrected`, their sensor with the gains of `mtf`; part:
    that is meant, in PAN pixels; offset: of MS against its georeferencing; notes: what was assumed, and what a user
    should look at."""

    source: Source
    part: Core
    offset: Registration
    corrected: bool
    mtf: MTF
    notes: tuple[str, ...]

    @property
    def shift(self) -> YX:
        """The offset that was corrected, in PAN pixels (rows, columns)."""
        return self.offset.shift if self.corrected else (0.0, 0.0)


@contextmanager
def opened(scene: Scene, jobs: int | None = None, *, whole: bool = False, **gdal: Any) -> Iterator[Opened]:
    """The scene, registered as it asks, while its files are open; jobs: threads; whole: offset and MTF are those of the
    whole scene, though a part is meant; gdal: options of GDAL.

    Matrix products of classical methods are small, and several threads would wait for each other: BLAS gets one.
    Raises InputError, MissingInput, GeometryError, UnknownName.
    """
    source = Source(scene)
    try:
        with sparing(*source.paths, **gdal), threadpool_limits(limits=1, user_api="blas"):
            part = source.grid.part(scene.bounds, scene.pixels)
            sample = _Sample(source, jobs, source.extent if whole else part)
            offset, corrected, warnings = _registered(source, scene.register, sample)
            choice = "sensor" if source.toolbox and scene.mtf == "auto" else scene.mtf
            gains = mtf.settled(choice, source.sensor, lambda: sample.where(offset), sample.each, source.gains)
            source.sensor = gains.applied(source.sensor)
            yield Opened(source, part, offset, corrected, gains, (*source.placement.notes, *source.notes, *warnings))
    finally:
        source.close()


class _Sample:
    """Windows spread over a region of a scene, read by several threads when they are first asked for."""

    def __init__(self, source: Source, jobs: int | None, region: Core):
        self.source, self.jobs = source, jobs or available()
        top, bottom, left, right = region
        size = bottom - top, right - left
        ms_size = yx(min(n, ceil(s / r)) for n, s, r in zip(source.ms_size, size, source.ratio))
        cores = windows(size, ms_size, source.ratio)
        self.cores = [(top + first, top + end, left + west, left + east) for first, end, west, east in cores]

    @cached_property
    def pairs(self) -> list[Pair]:
        return list(self.each(lambda core: self.source.read(core, 0), self.cores))

    def each(self, function: Callable, items: Iterable) -> Iterable:
        """A function of the items, in order."""
        return overlapped(function, items, self.jobs, 2 * self.jobs)

    def where(self, offset: Registration) -> list[Pair]:
        """Some of them where MS is measured to lie."""
        return mtf.registered(self.pairs, offset)


def _registered(source: Source, how: str | YX, sample: _Sample) -> tuple[Registration, bool, list[str]]:
    """The offset, measured and corrected as asked ("auto", "auto:PIXELS", "off") or taken as given ((dy, dx) PAN
    pixels); whether the source is now corrected; warnings."""
    word, _, reach = how.partition(":") if isinstance(how, str) else ("", "", "")
    if word != "auto" and how != "off":
        offset = Registration(_pixels(how))
        source.phase = offset.phases(source.phase)
        return offset, True, []
    offset = register(sample.pairs, search=_reach(reach) if reach else SEARCH, each=sample.each)
    large = max(map(abs, offset.shift)) > 0.5
    if how != "off" and offset.confident:
        source.phase = offset.phases(source.phase)
        return offset, True, []
    if how != "off" and large:
        agree = (
            f", as {offset.windows} windows scatter by {offset.scatter:.2f} PAN pixels" if offset.scatter > 0.25 else ""
        )
        unsure = f"an offset of MS was seen but not surely enough to correct it{agree}: check by eye, or set it"
        return offset, False, [unsure]
    if how == "off" and large and offset.confident:
        shift = f"{offset.shift[0]:+.2f}, {offset.shift[1]:+.2f}"
        return offset, False, [f"MS is displaced by {shift} PAN pixels and --register off leaves it so"]
    return offset, False, []


def _reach(text: str) -> float:
    """PAN pixels to search, of "auto:PIXELS"."""
    try:
        value = float(text)
    except ValueError:
        value = nan
    if not 1 <= value <= WIDEST:
        raise InputError(f"register auto:{text}: expected 1 to {WIDEST} PAN pixels to search")
    return value


def _pixels(given: str | YX) -> YX:
    """ "DY,DX" or a pair as numbers."""
    try:
        dy, dx = (float(v) for v in (given.split(",") if isinstance(given, str) else given))
    except (TypeError, ValueError):
        dy = dx = float("nan")
    if not max(abs(dy), abs(dx)) <= FARTHEST:
        raise InputError(
            f"register {given!r} is unknown: expected auto, auto:PIXELS, off, or DY,DX of at most {FARTHEST} PAN pixels"
        )
    return dy, dx
