"""A scene's files, opened, the sensor recognised, MS registered, and all that a user should know of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil, nan
from typing import Any

from threadpoolctl import threadpool_limits

from panflow.errors import InputError
from panflow.files.offsets import FARTHEST, read_offsets
from panflow.files.scene import Scene
from panflow.files.source import Source, gdal_warnings, sparing
from panflow.ops import mtf
from panflow.ops.agreement import Agreement, agreement
from panflow.ops.cores import available
from panflow.ops.mtf import MTF
from panflow.ops.register import MARGIN, SEARCH, Registration, register
from panflow.ops.window import Core, dense, windows
from panflow.pairs import Windows
from panflow.scene.blocks import overlapped
from panflow.scene.fit import Fit
from panflow.types import YX, Pair, yx

GAINS, EXPLAINED = (0.08, 0.7), 0.75  # MTF gains that are tried as well where less than a share of PAN is explained
MEASURED = "auto", "global", "local"  # with ":PIXELS" or without
WIDEST = 200  # PAN pixels that may be searched for one


@dataclass(frozen=True)
class Opened:
    """source: the files' windows, their phase corrected where `corrected`, their sensor with the gains of `mtf`; part:
    that is meant, in PAN pixels; offset: of MS against its georeferencing; notes: what was assumed, and what a user
    should look at; sample: windows spread over the scene."""

    source: Source
    part: Core
    offset: Registration
    corrected: bool
    mtf: MTF
    notes: tuple[str, ...]
    sample: _Sample

    @cached_property
    def agreement(self) -> Agreement:
        """Of PAN and the bands, where MS is taken to lie, seen through its MTF: that of the scene, or the likeliest of
        some where it explains little."""
        pairs = self.sample.settled(self.offset if self.corrected else None)
        result = agreement(pairs, each=self.sample.each)
        for gain in GAINS:
            if result.detail < EXPLAINED:
                sensor = self.source.sensor.with_gains([gain] * self.source.bands)
                seen = agreement([replace(pair, sensor=sensor) for pair in pairs], each=self.sample.each)
                result = max(result, seen, key=lambda one: one.detail)
        return result

    @property
    def shift(self) -> YX:
        """The offset that was corrected, in PAN pixels (rows, columns)."""
        return self.offset.shift if self.corrected else (0.0, 0.0)


@contextmanager
def opened(
    scene: Scene,
    jobs: int | None = None,
    *,
    whole: bool = False,
    fit: Fit | None = None,
    uses_mtf: bool = True,
    **gdal: Any,
) -> Iterator[Opened]:
    """The scene, registered as it asks, while its files are open; jobs: threads; whole: offset and MTF are those of the
    whole scene, though a part is meant; fit: whose offset and MTF are taken where the scene asks for "auto"; uses_mtf:
    whether MTF gains are computed with; gdal: options of GDAL.

    Raises InputError, MissingInput, GeometryError, UnknownName.
    """
    with opened_together([scene], jobs, whole=whole, fit=fit, uses_mtf=uses_mtf, **gdal) as (ready,):
        yield ready


@contextmanager
def opened_together(
    scenes: Sequence[Scene],
    jobs: int | None = None,
    *,
    whole: bool = False,
    fit: Fit | None = None,
    uses_mtf: bool = True,
    **gdal: Any,
) -> Iterator[tuple[Opened, ...]]:
    """Scenes of one sensor with one offset and one MTF, those that all of them show together.

    How they are measured is what the first asks for. Matrix products of classical methods are small, and several
    threads would wait for each other: BLAS gets one. Raises as `opened` does, and InputError where sensors differ.
    """
    with ExitStack() as stack:
        with gdal_warnings() as said:
            sources = [Source(scene) for scene in scenes]
        for source in sources:
            stack.callback(source.close)
        first, asked = sources[0], scenes[0]
        for source in sources:
            if source.sensor != first.sensor or source.toolbox != first.toolbox:
                raise InputError(
                    f"{source.pan_path} is of {_named(source)}, {first.pan_path} of {_named(first)}: expected scenes "
                    "of one sensor with the same bands"
                )
        paths = [path for source in sources for path in source.paths]
        stack.enter_context(sparing(*paths, **gdal))
        stack.enter_context(threadpool_limits(limits=1, user_api="blas"))
        parts = [source.grid.part(scene.bounds, scene.pixels) for source, scene in zip(sources, scenes)]
        regions = [source.extent if whole else part for source, part in zip(sources, parts)]
        sample = _Sample(list(zip(sources, regions)), jobs)
        if fit:
            fit.require(first)
        if fit and asked.mtf not in ("auto", "raised"):
            raise InputError(f"mtf {asked.mtf!r} with a fit: expected auto, as the fit rests on its own MTF")
        warnings: list[str] = []
        if asked.offsets:
            offset, corrected = _read(asked, sources), True
        elif fit and _word(asked.register) in MEASURED:
            offset, corrected = fit.offset, fit.corrected
        else:
            offset, corrected, warnings = _registered(asked.register, sample)
        if corrected:
            for source in sources:
                source.phase = offset.phases(source.phase)
                if offset.field:
                    source.straighten(offset.field)
        gains = fit.mtf if fit else _gains(asked, sources, offset, sample, uses_mtf)
        for source in sources:
            source.sensor = gains.applied(source.sensor)
        notes = [(*source.placement.notes, *source.notes, *said) for source in sources]
        yield tuple(
            Opened(source, part, offset, corrected, gains, (*of_files, *warnings), sample)
            for source, part, of_files in zip(sources, parts, notes)
        )


def settled(windows: Windows, how: str | YX, gains: mtf.Choice, jobs: int, uses_mtf: bool) -> None:
    """Registers a scene of whatever gives its windows, by one offset, and takes its MTF: its phase and sensor change.

    how, gains: as `sharpen_file` takes register and mtf; uses_mtf: whether MTF gains are computed with.
    """
    if isinstance(how, str) and how.startswith("local"):
        raise InputError(f"register {how}: expected auto, global, off or DY,DX; a field of offsets is for files")
    sample = _Sample([(windows, windows.extent)], jobs)
    offset, corrected, _ = _registered(how.replace("auto", "global") if isinstance(how, str) else how, sample)
    if corrected:
        windows.phase = offset.phases(windows.phase)
    choice = mtf.settled(gains, windows.sensor, lambda: sample.where(offset), sample.each, used=uses_mtf)
    windows.sensor = choice.applied(windows.sensor)


def _read(scene: Scene, sources: Sequence[Source]) -> Registration:
    """The offsets of a file, which are those of one place."""
    if scene.register != "auto" or len(sources) > 1 or scene.offsets is None:
        raise InputError(f"offsets {scene.offsets}: expected a single scene, and no other word of its registration")
    return read_offsets(scene.offsets, sources[0].grid, sources[0].bands)


def _named(source: Source) -> str:
    return f"{source.sensor.name} ({', '.join(band.name for band in source.sensor.bands)})"


def _gains(scene: Scene, sources: Sequence[Source], offset: Registration, sample: _Sample, used: bool) -> MTF:
    """The MTF as the scene asks for it; recorded gains count where all files have the same."""
    first = sources[0]
    choice = "sensor" if first.toolbox and scene.mtf in ("auto", "raised") else scene.mtf
    recorded = first.gains if all(source.gains == first.gains for source in sources) else None
    return mtf.settled(choice, first.sensor, lambda: sample.where(offset), sample.each, recorded, used=used)


class _Sample:
    """Windows spread over regions of scenes, read by several threads when they are first asked for."""

    def __init__(self, regions: Sequence[tuple[Windows, Core]], jobs: int | None):
        self.jobs, self.regions = jobs or available(), regions
        alone = len(regions) == 1 and not regions[0][0].toolbox
        self.size = regions[0][0].size if alone else None  # over which an offset may vary; over several it is one
        self.places: list[tuple[Windows, Core]] = []
        for source, (top, bottom, left, right) in regions:
            size = bottom - top, right - left
            ms_size = yx(min(n, ceil(s / r)) for n, s, r in zip(source.ms_size, size, source.ratio))
            for first, end, west, east in windows(size, ms_size, source.ratio):
                self.places.append((source, (top + first, top + end, left + west, left + east)))

    def denser(self, function: Callable[[Pair], Any]) -> list:
        """A function of windows with what surrounds them, as many as are affordable, of a single scene."""
        source, (top, bottom, left, right) = self.regions[0]
        cores = dense((bottom - top, right - left), source.ratio)
        places = [(top + a, top + b, left + c, left + d) for a, b, c, d in cores]
        halo = ceil(MARGIN * max(source.ratio))
        return list(self.each(lambda place: function(source.read(place, halo)), places))

    @cached_property
    def pairs(self) -> list[Pair]:
        return self._read(self.places)

    def settled(self, offset: Registration | None) -> list[Pair]:
        """Some of them, as their sources give them once an offset and MTF gains are settled; what registration has read
        is not read again, unless the offset varies over the scene."""
        few = mtf.some(self.places)
        if "pairs" not in self.__dict__ or (offset and offset.field):
            return self._read(few)
        phases = offset.phases if offset else tuple
        return [
            replace(pair, phase=phases(pair.phase), sensor=source.sensor)
            for pair, (source, _) in zip(mtf.some(self.pairs), few)
        ]

    def _read(self, places: list[tuple[Windows, Core]]) -> list[Pair]:
        return list(self.each(lambda place: place[0].read(place[1], 0), places))

    def each(self, function: Callable, items: Iterable) -> Iterable:
        """A function of the items, in order."""
        return overlapped(function, items, self.jobs, 2 * self.jobs)

    def where(self, offset: Registration) -> list[Pair]:
        """Some of them where MS is measured to lie, to which it has been brought where that varies."""
        return self._read(mtf.some(self.places)) if offset.field else mtf.registered(self.pairs, offset)


def _registered(how: str | YX, sample: _Sample) -> tuple[Registration, bool, list[str]]:
    """The offset, measured as asked (one of MEASURED, or "off") or taken as given ((dy, dx) PAN pixels);
    whether it is to be corrected; warnings."""
    word = _word(how)
    if word not in MEASURED and how != "off":
        return given(how), True, []
    size, local = sample.size if word in ("auto", "local") else None, word == "local"
    offset = register(sample.pairs, search=_reach(how), size=size, denser=sample.denser, local=local, each=sample.each)
    large = max(map(abs, offset.shift)) > 0.5
    if how != "off" and offset.confident:
        one = word == "local" and not offset.field
        return offset, True, ["no field of offsets explains PAN better than one offset, which is taken"] * one
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


def _word(how: str | YX) -> str:
    """What is asked for, without ":PIXELS"; empty for numbers."""
    return how.partition(":")[0] if isinstance(how, str) else ""


def _reach(how: str | YX) -> float:
    """PAN pixels to search, of "auto:PIXELS"."""
    text = how.partition(":")[2] if isinstance(how, str) else ""
    if not text:
        return SEARCH
    try:
        value = float(text)
    except ValueError:
        value = nan
    if not 1 <= value <= WIDEST:
        raise InputError(f"register {how}: expected 1 to {WIDEST} PAN pixels to search")
    return value


def given(register: str | YX) -> Registration:
    """The offset of "DY,DX" or a pair, in PAN pixels. Raises InputError."""
    try:
        dy, dx = (float(v) for v in (register.split(",") if isinstance(register, str) else register))
    except (TypeError, ValueError):
        dy = dx = float("nan")
    if not max(abs(dy), abs(dx)) <= FARTHEST:
        raise InputError(
            f"register {register!r} is unknown: expected auto, global, local, auto:PIXELS, off, or DY,DX of at most "
            f"{FARTHEST} PAN pixels"
        )
    return Registration((dy, dx))
