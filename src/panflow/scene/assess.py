"""Judging a fused file of any tool: indices of a whole scene with intervals, and what people check by eye.

A scene that fits the memory limit is computed whole; a larger one in tiles with context, whose sums add up to the
same numbers but for rounding.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from math import ceil, isfinite
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
from threadpoolctl import threadpool_limits

from panflow.errors import InputError, OutputError
from panflow.files import output
from panflow.files.output import Output, reason
from panflow.files.remote import AnyPath
from panflow.files.scene import Scene
from panflow.files.source import sparing
from panflow.indices._case import Case, Index, Local
from panflow.indices._sets import Choice, choose
from panflow.ops.cores import available
from panflow.ops.kernels import TAPS
from panflow.ops.mtf import MTF
from panflow.ops.mtf import Choice as MTFChoice
from panflow.ops.register import Registration
from panflow.ops.window import Core
from panflow.pictures.heatmap import heatmap
from panflow.scene import _eye
from panflow.scene._judged import Judged
from panflow.scene._statistics import Parts, Statistic, merge
from panflow.scene.blocks import overlapped
from panflow.scene.engine import BASE_MIB
from panflow.scene.memory import peak_mib
from panflow.scene.opening import opened
from panflow.scene.report import plain
from panflow.types import YX, Progress, Sensor

MEMORY = 4096  # MiB that an assessment may use, where nothing is said
COPIES = 10  # float64 images of all bands and PAN that computing every index holds at once
WINDOW = 32  # pixels of the indices' blocks and of the widest sliding windows
SIDE = 1024  # pixels of a tile, about

Tile = tuple[np.ndarray, dict[str, Statistic], Parts]  # pixels counted, indices, what the eye sees


@dataclass
class Assessment:
    """The quality of a fused file.

    indices, and intervals: 95 %, by bootstrap over cells of 256 pixels, where there are enough of them; notes: how an
    index was computed where not on the scene as a whole; consistency: for every band, the fused image seen by the MS
    sensor against MS (RMSE in counts, and relative to the band's mean); drift: of NDVI and NDWI against those of MS, at
    MS scale; nodata_pixels: those that one of the files lacks, fused_nodata_pixels: that the fused file lacks,
    clipped_pixels: that are at a limit of its type; shift_pixels: of MS against its georeferencing, in PAN pixels;
    mtf_gains, mtf_source, mtf_confidence: as in `Report`; maps: the files written.
    """

    fused: str
    indices: dict[str, float]
    intervals: dict[str, tuple[float, float] | None]
    notes: dict[str, str]
    consistency: list[dict[str, Any]]
    drift: dict[str, dict[str, float]]
    pixels: int
    nodata_pixels: int
    fused_nodata_pixels: int
    clipped_pixels: int
    sensor: str
    sensor_reason: str
    ratio: YX
    phase: YX | None
    shift_pixels: YX
    shift_applied: bool
    shift_confidence: float
    mtf_gains: list[float]
    mtf_source: str
    mtf_confidence: float
    tiles: int
    seconds: float
    peak_mib: float
    maps: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For JSON, which has neither NaN nor infinity: None instead."""
        return plain(asdict(self))


def assess_file(
    fused: str | Path,
    pan: str | Path | None = None,
    ms: str | Path | Sequence[str | Path] = (),
    reference: str | Path | None = None,
    *,
    indices: Choice = None,
    sensor: str | Sensor = "auto",
    bands: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
    register: str | tuple[float, float] = "auto",
    nodata: float | None = None,
    arithmetic: str = "standard",
    mtf: MTFChoice = "auto",
    maps: str | Path | None = None,
    jobs: int | None = None,
    max_memory: float | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Assessment:
    """The quality of a fused file: without reference by PAN and MS, with one by the reference.

    fused and reference lie on PAN's pixels, and may cover only a part of them; ms: files or `file,band=n` picks;
    indices: as for `panflow.assess`; sensor, bands, tags, register, nodata, arithmetic, mtf, jobs: as for
    `sharpen_file`; maps: a folder for pictures (.png) and arrays (.npy) of the local indices; max_memory: MiB (4096
    where not given), up to which a scene is computed whole, exactly as `panflow.assess` does on arrays.

    Raises InputError, GeometryError where grids differ, UnknownName, OutputError.
    """
    started = time.perf_counter()
    files = [ms] if isinstance(ms, (str, Path)) else list(ms)
    if (pan is None) != (not files):
        raise InputError("indices without reference need both PAN and MS: one of them did not come")
    if pan is None and reference is None:
        raise InputError("nothing to judge by: give a reference, or PAN and MS")
    with ExitStack() as stack:
        ready = None
        if pan is not None:
            pair = Scene.of(
                pan,
                files,
                sensor=sensor,
                bands=bands,
                tags=tags,
                register=register,
                nodata=nodata,
                arithmetic=arithmetic,
                mtf=mtf,
            )
            ready = stack.enter_context(opened(pair, jobs))
        source, offset = (ready.source, ready.offset) if ready else (None, Registration())
        scene = Judged(stack, fused, source, reference, sensor, nodata)
        stack.enter_context(sparing(*scene.paths))
        chosen = choose(indices, scene.has)
        lattice, halo, flight, tight = _plan(scene, jobs or available(), max_memory)
        inputs = [path for path in (fused, pan, *files, reference) if path]
        folder = stack.enter_context(_Maps(output.any_folder(maps), chosen, inputs, overwrite)) if maps else None

        def work(core: Core) -> Tile:
            case, counts = scene.case(core, halo)
            if folder:
                folder.add(case, core, scene.size)
            measured = {label: Statistic.of(index, case) for label, index in chosen.items()}
            return counts, measured, _eye.look(case) if source else ()

        stack.enter_context(threadpool_limits(limits=1))  # matrix products are small: threads would wait
        tiles: list[Tile] = []
        for tile in overlapped(work, lattice, flight, flight):
            tiles.append(tile)
            if progress:
                progress("assess", len(tiles), len(lattice))
        counts = np.sum([tile[0] for tile in tiles], axis=0).tolist()
        eye = merge([tile[2] for tile in tiles])
        measured = {label: Statistic.merged([tile[1][label] for tile in tiles]) for label in chosen}
        facts = scene.facts
        gains = ready.mtf if ready else MTF(facts.sensor.gains, "sensor")
        values = {label: one.value(facts) for label, one in measured.items()}
        return Assessment(
            fused=str(fused),
            indices=values,
            intervals={label: one.interval(facts) for label, one in measured.items()},
            notes={label: note for label, one in measured.items() if (note := _note(one, len(tiles)))},
            consistency=_eye.consistency(eye, [band.name for band in scene.sensor.bands]) if source else [],
            drift=_eye.drift(eye, facts),
            pixels=scene.size[0] * scene.size[1],
            nodata_pixels=counts[0],
            fused_nodata_pixels=counts[1],
            clipped_pixels=counts[2],
            sensor=scene.sensor.name,
            sensor_reason=source.why if source and source.why != "given" else "",
            ratio=scene.ratio,
            phase=tuple(np.mean(source.phase, axis=0).tolist()) if source else None,
            shift_pixels=offset.shift,
            shift_applied=bool(ready and ready.corrected),
            shift_confidence=offset.confidence,
            mtf_gains=list(gains.gains),
            mtf_source=gains.source,
            mtf_confidence=gains.confidence,
            tiles=len(tiles),
            seconds=time.perf_counter() - started,
            peak_mib=peak_mib(),
            maps=folder.draw(values) if folder else [],
            warnings=[*(ready.notes if ready else ()), *tight, *_undefined(values, chosen)],
        )


def _plan(scene: Judged, jobs: int, max_memory: float | None) -> tuple[list[Core], int, int, list[str]]:
    """The tiles, their context, how many may be in work at once, and a warning where memory is short."""
    room = (max_memory or MEMORY) - BASE_MIB

    def need(rows: int, columns: int) -> float:
        return rows * columns * (scene.fused.bands + 1) * 8 * COPIES / 2**20

    toolbox = scene.source is not None and scene.source.toolbox  # whose borders wrap around the whole image
    if toolbox or need(*scene.size) <= room:
        return [(0, scene.size[0], 0, scene.size[1])], 0, 1, []
    coarse = max(scene.ratio) if scene.source else 1.0
    halo, step = ceil(WINDOW * coarse) + TAPS // 2 + 1, WINDOW * max(1, round(coarse))
    for side in range(max(SIDE // step, 2) * step, step, -step):
        tile = need(side + step + 2 * halo, side + step + 2 * halo)
        if tile <= room:
            break
    rows, columns = (_cut(n, side, step) for n in scene.size)
    lattice = [(top, bottom, left, right) for top, bottom in rows for left, right in columns]
    tight = [] if tile <= room else [f"the memory limit is less than a tile needs: about {BASE_MIB + tile:.0f} MiB"]
    return lattice, halo, max(1, min(jobs, int(room / tile))), tight


def _cut(size: int, side: int, step: int) -> list[tuple[int, int]]:
    """An axis in nearly equal parts of about `side` >= 2 `step`, which begin at whole steps: blocks of PAN and of MS
    are then those of the whole."""
    count = ceil(size / side)
    edges = [round(i * size / count / step) * step for i in range(count)]
    return list(pairwise([*edges, size]))


def _undefined(values: dict[str, float], chosen: dict[str, Index]) -> list[str]:
    """What to say of indices without a number."""
    labels = [label for label, value in values.items() if not isfinite(value) and value != chosen[label].ideal]
    why = "they divide by what is 0 here; is a band empty or constant?"
    return [f"{', '.join(labels)} cannot be computed: {why}"] if labels else []


def _note(measured: Statistic, tiles: int) -> str:
    """What is not as on the whole scene."""
    if tiles == 1:
        return ""
    if not measured.additive:
        return f"mean over {tiles} tiles"
    searched = getattr(measured.index, "phase", None) == "searched"
    return f"phase searched in each of {tiles} tiles" if searched else ""


class _Maps:
    """Maps of the local indices, written tile by tile as arrays (.npy), then drawn (.png); a context."""

    def __init__(self, folder: AnyPath, chosen: dict[str, Index], inputs: Sequence[str | Path], overwrite: bool):
        self._local = {label: index for label, index in chosen.items() if isinstance(index, Local)}
        names = [folder / f"{label}{suffix}" for label in self._local for suffix in (".npy", ".png")]
        self._stack = ExitStack()
        self._outputs = self._stack.enter_context(output.several(names, inputs=inputs, overwrite=overwrite))
        self._open: dict[str, BinaryIO] = {}
        self._places: dict[str, tuple[int, tuple[int, ...]]] = {}  # where the numbers begin, the map's shape
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for file in self._open.values():
            with suppress(OSError):
                file.close()
        self._stack.close()

    def add(self, case: Case, core: Core, size: tuple[int, int]) -> None:
        """The maps of a tile; of tiles that are not the scene, those at PAN scale."""
        whole = core == (0, size[0], 0, size[1])
        for place, (label, index) in enumerate(self._local.items()):
            local = index.map(case)[0]
            fine = local.shape == case.fused.shape[-2:]
            if not (fine or whole):
                continue
            top, _, left, _ = core if fine else (0, 0, 0, 0)
            part = np.ascontiguousarray(case.cropped(local) if fine else local, dtype="<f4")
            try:
                with self._lock:
                    self._write(label, self._outputs[2 * place], part, (top, left), size if fine else local.shape)
            except OSError as error:
                raise OutputError(f"{self._outputs[2 * place].out} cannot be written: {reason(error)}") from None

    def _write(
        self, label: str, target: Output, part: np.ndarray, corner: tuple[int, int], shape: Sequence[int]
    ) -> None:
        """Row by row: a disk that is full is an error then, while in a memory map it ends the process."""
        if label not in self._open:
            self._open[label] = target.part().open("w+b")
            head = {"descr": "<f4", "fortran_order": False, "shape": tuple(shape)}
            np.lib.format.write_array_header_1_0(self._open[label], head)
            self._places[label] = self._open[label].tell(), tuple(shape)
        file, (start, (_, width)) = self._open[label], self._places[label]
        for k, row in enumerate(part):
            file.seek(start + 4 * ((corner[0] + k) * width + corner[1]))
            file.write(row.tobytes())

    def draw(self, values: dict[str, float]) -> list[str]:
        """The pictures; the names of all files."""
        written = []
        for place, (label, index) in enumerate(self._local.items()):
            if label not in self._open:
                continue
            array, picture = self._outputs[2 * place : 2 * place + 2]
            try:
                self._open[label].close()
            except OSError as error:
                raise OutputError(f"{array.out} cannot be written: {reason(error)}") from None
            title = f"{index.title} {values[label]:.4g} {index.unit}".strip() + f", {index.better} is better"
            heatmap(np.load(array.part(), mmap_mode="r"), title, picture)
            array.publish()
            written += [array.out, picture.out]
        return written


__all__ = ["Assessment", "assess_file"]
