"""Methods side by side on the same crops of a scene: at full resolution, and by Wald's protocol, with truth."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine

from panflow import zoo
from panflow.arrays import to_numpy
from panflow.errors import InputError, PanflowError
from panflow.files import output
from panflow.files.grid import Grid
from panflow.files.output import Output
from panflow.files.scene import Scene
from panflow.files.source import Source, grid_of, open_dataset
from panflow.indices._case import Case
from panflow.indices._sets import load
from panflow.ops.degrade import wald
from panflow.ops.fill import fill
from panflow.ops.moments import ms_core, pan_core
from panflow.ops.mtf import Choice as MTFChoice
from panflow.ops.resample import ms_up
from panflow.ops.window import Core
from panflow.pairs import doubled, with_validity
from panflow.pictures import picture
from panflow.pictures.composite import GAMMA, composite, details
from panflow.scene import _window
from panflow.scene.advice import Advice, advise
from panflow.scene.engine import sample
from panflow.scene.memory import Peak
from panflow.scene.opening import opened
from panflow.scene.quicklook import OVERVIEW
from panflow.scene.report import plain
from panflow.types import Pair, Progress, Sensor, Sharpener

FULL = ("detail_gain", "detail_correlation", "fine_colour", "r_ergas", "d_lambda_k", "d_s", "hqnr", "d_rho")
REDUCED = ("sam", "ergas", "q2n", "scc")
WHOLE = 256  # pixels of context for methods that would like to see the whole image
REACH = 3  # MS pixels that reducing PAN looks at
PANEL = 256  # pixels of a crop's middle on the contact sheet
COLUMNS = 6  # methods a sheet
VALID = 0.9  # of the pixels of a crop


@dataclass(frozen=True)
class Score:
    """One method: full and reduced: every index's mean over the crops; crops: its values on each; fit_seconds: what
    learning the scene took; seconds: a million PAN pixels; memory: MiB beyond what was in use, None where the system
    does not count it; failed: why there is no result."""

    method: str
    full: dict[str, float] = field(default_factory=dict)
    reduced: dict[str, float] = field(default_factory=dict)
    crops: list[dict[str, float]] = field(default_factory=list)
    fit_seconds: float = float("nan")
    seconds: float = float("nan")
    memory: float | None = None
    failed: str = ""


@dataclass(frozen=True)
class Comparison:
    """crops: (top, bottom, left, right) in PAN pixels, and a title, from the least to the most textured; sheets: the
    pictures written; advice: which method to take, and why."""

    scores: list[Score]
    crops: list[tuple[Core, str]]
    sensor: str
    shift_pixels: tuple[float, float]
    shift_applied: bool
    mtf_gains: list[float]
    mtf_source: str
    mtf_confidence: float
    sheets: list[str]
    warnings: list[str]
    advice: list[Advice] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For JSON, which has neither NaN nor infinity: None instead."""
        return plain(asdict(self))


@dataclass(frozen=True)
class _Bench:
    """A protocol's material: the pairs that methods are fitted on, the pairs that they sharpen, and how to judge."""

    scene: list[Pair]
    crops: list[Pair]
    judge: Callable[[np.ndarray, int], dict[str, float]]


def compare_files(
    pan: str | Path,
    ms: str | Path | Sequence[str | Path],
    methods: Sequence[str],
    *,
    crops: int = 3,
    side: int = 512,
    out: str | Path | None = None,
    sensor: str | Sensor = "auto",
    bands: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
    register: str | tuple[float, float] = "auto",
    nodata: float | None = None,
    mtf: MTFChoice = "auto",
    device: str = "auto",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Comparison:
    """Run methods on the same crops of `side` PAN pixels, the least, the median and the most textured.

    Every method is fitted once on blocks of the scene, as `sharpen_file` does, and once on the same blocks reduced.
    out: a folder for contact sheets. Other arguments as for `sharpen_file`. A method that cannot serve the scene is
    reported as failed. Raises InputError, GeometryError, UnknownName, OutputError.
    """
    sharpeners = {name: zoo.load(name, device=device) for name in methods}
    scene = Scene.of(pan, ms, sensor=sensor, bands=bands, tags=tags, register=register, nodata=nodata, mtf=mtf)
    names = [output.any_folder(out) / f"crops-{k + 1}.png" for k in range(ceil(len(methods) / COLUMNS))] if out else []
    with output.several(names, inputs=scene.files, overwrite=overwrite) as files, opened(scene) as ready:
        source = ready.source
        chosen = pick(source, crops, side)
        cores = [core for core, _ in chosen]
        halos = [sharpener.halo(source.ratio) for sharpener in sharpeners.values()]
        halo = max(WHOLE if each is None else each for each in halos)
        blocks = sample(source.extent)
        full, reduced = _full(source, blocks, cores, halo), _reduced(source, blocks, cores, halo)
        scores, images = [], {}
        for done, (name, sharpener) in enumerate(sharpeners.items(), 1):
            try:
                score, images[name] = _run(name, sharpener, full, reduced)
            except PanflowError as error:
                score = Score(name, failed=str(error))
            scores.append(score)
            if progress:
                progress("compare", done, len(sharpeners))
        sheets = _sheets(files, source, full, images, chosen) if out else []
    return Comparison(
        scores,
        chosen,
        source.sensor.name,
        ready.offset.shift,
        ready.corrected,
        list(ready.mtf.gains),
        ready.mtf.source,
        ready.mtf.confidence,
        sheets,
        list(ready.notes),
        advise({score.method: score.full | score.reduced for score in scores if not score.failed}),
    )


def pick(source: Source, count: int, side: int) -> list[tuple[Core, str]]:
    """Crops with their titles, evenly spread from the least to the most textured of those with data."""
    height, width = source.size
    side = min(side, height, width)
    scale = min(1.0, OVERVIEW / max(source.size))
    shape = max(1, round(height * scale)), max(1, round(width * scale))
    with open_dataset(source.pan_path, "PAN") as dataset:
        grid = grid_of(dataset)
        target = Grid(grid.transform * Affine.scale(width / shape[1], height / shape[0]), grid.crs, shape)
        overview = _window.read(dataset, [source.pan_band], grid, target)[0]
    cores = [(y, y + side, x, x + side) for y, x in details(overview, source.size, side, height * width)]
    places = [core for core in cores if _valid_share(source.read(core, 0)) >= VALID]
    if not places:
        raise InputError(f"no crop of {side} x {side} PAN pixels has data and texture: give a smaller --side")
    ranks = sorted({round(k) for k in np.linspace(0, len(places) - 1, count)}, reverse=True)
    middle = {ranks[len(ranks) // 2]: "median texture"} if len(ranks) % 2 else {}
    words = middle | {ranks[0]: "least textured", ranks[-1]: "most textured"}
    return [(places[k], words.get(k, f"texture {len(places) - k} of {len(places)}")) for k in ranks]


def _valid_share(pair: Pair) -> float:
    return 1.0 if pair.pan_valid is None else float(np.mean(pair.pan_valid))


def _run(name: str, sharpener: Sharpener, full: _Bench, reduced: _Bench) -> tuple[Score, list[np.ndarray]]:
    """The method's score, and its crops [C, side, side] at full resolution."""
    with Peak() as peak:
        started = time.perf_counter()
        fitted = sharpener.fit(full.scene)
        fit_seconds = time.perf_counter() - started
        speed, images = [], []
        for pair in full.crops:
            started = time.perf_counter()
            images.append(to_numpy(fitted(pair)))
            speed.append((time.perf_counter() - started) / (pair.size[0] * pair.size[1] / 1e6))
    fitted = sharpener.fit(reduced.scene)
    crops = [
        full.judge(images[k], k) | reduced.judge(to_numpy(fitted(pair)), k) for k, pair in enumerate(reduced.crops)
    ]

    def mean(names: Sequence[str]) -> dict[str, float]:
        return {index: float(np.mean([crop[index] for crop in crops])) for index in names}

    score = Score(name, mean(FULL), mean(REDUCED), crops, fit_seconds, float(np.median(speed)), peak.mib)
    return score, [image[0][(..., *pan_core(pair))] for image, pair in zip(images, full.crops)]


def _full(source: Source, blocks: list[Core], cores: list[Core], halo: int) -> _Bench:
    crops, alone = ([source.read(core, h) for core in cores] for h in (halo, 0))

    def judge(fused: np.ndarray, k: int) -> dict[str, float]:
        pair = alone[k]
        inner = fused[(..., *pan_core(crops[k]))]
        case = Case(inner, pair.sensor, pair.ratio, None, pair, pair.pan_valid, pan_core(pair))
        return _values(_double(case), FULL)

    return _Bench([source.read(core, halo) for core in blocks], crops, judge)


def _reduced(source: Source, blocks: list[Core], cores: list[Core], halo: int) -> _Bench:
    ratio = max(1, round(max(source.ratio)))
    around = (halo + REACH) * ratio + ratio  # the halo is one of reduced pixels
    crops = [_wald(source, core, around) for core in cores]

    def judge(fused: np.ndarray, k: int) -> dict[str, float]:
        pair = crops[k]
        case = Case(fused, pair.sensor, pair.ratio, pair.reference, None, pair.pan_valid, pan_core(pair))  # type: ignore[arg-type]
        return _values(_double(case), REDUCED)

    return _Bench([_wald(source, core, around) for core in blocks], crops, judge)


def _wald(source: Source, core: Core, around: int) -> Pair:
    """The reduced pair of a window, whose core is those of MS that are centred in it.

    It begins at a multiple of the ratio, so that the reduced scene is sampled where `degrade_file` does it.
    """
    pair = source.read(core, around)
    outer = core[0] - pair.core[0], core[2] - pair.core[2]  # type: ignore[index]
    begin = [round((a - b + o) / r) for a, b, o, r in zip(pair.phase[0], source.phase[0], outer, pair.ratio)]
    top, left = (-b % max(1, round(r)) for b, r in zip(begin, pair.ratio))
    pair = replace(
        pair,
        ms=pair.ms[..., top:, left:],
        ms_valid=None if pair.ms_valid is None else pair.ms_valid[..., top:, left:],
        phase=tuple((y + top * pair.ratio[0], x + left * pair.ratio[1]) for y, x in pair.phase),
    )
    reduced = wald(pair)
    inside = ms_core(pair)
    reduced = with_validity(reduced, reduced.pan_valid, reduced.ms_valid)  # as it is when read from files
    rows, columns = (slice(*s.indices(n)[:2]) for s, n in zip(inside, reduced.size))
    return replace(reduced, core=(rows.start, rows.stop, columns.start, columns.stop))


def _double(case: Case) -> Case:
    """In float64, nodata filled."""

    def wide(image: np.ndarray | None) -> np.ndarray | None:
        return None if image is None else fill(image.astype(np.float64), case.valid)

    pair = None if case.pair is None else doubled(case.pair)
    return replace(case, fused=wide(case.fused), reference=wide(case.reference), pair=pair)


def _values(case: Case, names: Sequence[str]) -> dict[str, float]:
    return {name: float(load(name)(case)[0]) for name in names}


def _sheets(
    files: Sequence[Output],
    source: Source,
    full: _Bench,
    images: dict[str, list[np.ndarray]],
    chosen: list[tuple[Core, str]],
) -> list[str]:
    """Contact sheets: the middles of the crops in rows; PAN, MS interpolated and methods in columns."""
    color = list(composite(source.sensor.bands))
    cores = [pan_core(pair) for pair in full.crops]
    middles = [_middle(core) for core, _ in chosen]
    first = {
        "PAN": [pair.pan[0][(..., *at)] for pair, at in zip(full.crops, cores)],
        "MS, interpolated": [ms_up(pair)[0, color][(..., *at)] for pair, at in zip(full.crops, cores)],
    }
    titles = [f"{title}: {b - t} x {r - l} PAN pixels from row {t}, column {l}"
              for (t, b, l, r), (_, title) in zip(middles, chosen)]  # fmt: skip
    names, written = list(images), []
    for k in range(0, len(names), COLUMNS):
        columns = first | {name: [image[color] for image in images[name]] for name in names[k : k + COLUMNS]}
        path = files[k // COLUMNS]
        panels = {
            name: [_cut(image, core, middle) for image, (core, _), middle in zip(row, chosen, middles)]
            for name, row in columns.items()
        }
        picture.contact_sheet(panels, titles, path, PANEL, gamma=GAMMA)
        written.append(path.out)
    return written


def _middle(core: Core) -> Core:
    """The middle of a crop that its sheet shows, PANEL pixels a side where it is larger."""
    top, bottom, left, right = core
    y, x = (max(0, (n - PANEL) // 2) for n in (bottom - top, right - left))
    return top + y, min(bottom, top + y + PANEL), left + x, min(right, left + x + PANEL)


def _cut(image: np.ndarray, core: Core, inner: Core) -> np.ndarray:
    """The part of a crop's image [C, H, W] that lies in `inner`."""
    rows, columns = (slice(inner[k] - core[k], inner[k + 1] - core[k]) for k in (0, 2))
    return image[:, rows, columns]


__all__ = ["Comparison", "Score", "compare_files"]
