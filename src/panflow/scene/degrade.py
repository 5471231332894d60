"""Wald's protocol from files to files: a reduced pair and its truth, georeferenced [wald1997]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import numpy as np
from affine import Affine

from panflow.errors import InputError
from panflow.files import output
from panflow.files.grid import Grid
from panflow.files.output import Output
from panflow.files.scene import Scene
from panflow.files.sink import Profile, Sink
from panflow.files.source import GAIN, PHASE, PROTOCOL, Source
from panflow.ops.degrade import wald
from panflow.ops.moments import ms_core
from panflow.ops.mtf import Choice as MTFChoice
from panflow.pairs import doubled
from panflow.scene.engine import reported
from panflow.scene.opening import opened
from panflow.types import YX, Pair, Progress, Sensor

LIMIT = 128_000_000  # PAN pixels of a scene, which is reduced in memory: some 4 GiB of them
NAMES = ("pan.tif", "ms.tif", "reference.tif")


@dataclass(frozen=True)
class Reduced:
    """What was written: the files, their sizes, and where MS pixel (0, 0) is centred on the reduced PAN grid."""

    files: dict[str, str]
    size: tuple[int, int]
    ms_size: tuple[int, int]
    ratio: YX
    phase: YX
    sensor: str
    shift_pixels: YX
    shift_applied: bool
    mtf_gains: list[float]
    mtf_source: str
    mtf_confidence: float | None
    warnings: list[str]


def degrade_file(
    pan: str | Path,
    ms: str | Path | Sequence[str | Path],
    folder: str | Path,
    *,
    sensor: str | Sensor = "auto",
    bands: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
    register: str | tuple[float, float] = "auto",
    nodata: float | None = None,
    arithmetic: str = "standard",
    mtf: MTFChoice = "auto",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Reduced:
    """Write pan.tif, ms.tif and reference.tif, float32 with nan for nodata, into a folder.

    The reference is MS as it is, on its grid, bands brought together where the files' differ; PAN is reduced to
    that grid, and MS by the ratio through the MTF that `mtf` chooses, as `panflow.degrade` does. ms.tif records gains
    and phase, which whatever reads the pair takes in place of an estimate. Arguments as for `sharpen_file`.
    Raises InputError, GeometryError, UnknownName, OutputError.
    """
    target = output.any_folder(folder)
    scene = Scene.of(
        pan, ms, sensor=sensor, bands=bands, tags=tags, register=register, nodata=nodata, arithmetic=arithmetic, mtf=mtf
    )
    names = [target / name for name in NAMES]
    with (
        output.several(names, inputs=scene.files, overwrite=overwrite) as outputs,
        opened(scene) as ready,
    ):
        source = ready.source
        for each in outputs:
            each.refuse(source.files)
        if prod(source.size) > LIMIT:
            raise InputError(
                f"PAN has {source.size[0]} x {source.size[1]} pixels: expected at most {LIMIT / 1e6:.0f} million, "
                "which are reduced in memory; cut a part of the scene (gdal_translate -projwin)"
            )
        if progress:
            progress("reduce", 0, 1)
        pair, (row, column) = _covered(source)
        try:
            reduced = wald(pair)
        except ValueError as error:
            raise InputError(str(error)) from None
        (y, x), (ry, rx) = reduced.common_phase, reduced.ratio
        grid = source.placement.warp or source.ms_grid
        fine = grid.transform * Affine.translation(column, row)
        # the corner of MS pixel (0, 0) lies half of that pixel before its centre
        coarse = fine * Affine.translation(x + 0.5 - rx / 2, y + 0.5 - ry / 2) * Affine.scale(rx, ry)
        written = {
            "pan.tif": (reduced.pan, reduced.pan_valid, fine, ["pan"], {}, ()),
            "ms.tif": (
                reduced.ms,
                reduced.ms_valid,
                coarse,
                source.names,
                {PHASE: f"{float(y)!r}, {float(x)!r}"},
                [{GAIN: repr(float(gain))} for gain in source.sensor.gains],
            ),
            "reference.tif": (reduced.reference, reduced.pan_valid, fine, source.names, {}, ()),
        }
        shared = {"PANFLOW_SENSOR": source.sensor.name, PROTOCOL: "reduced by Wald's protocol"}
        files = reported("write", zip(outputs, written.values()), len(NAMES), progress)
        for each, (image, valid, transform, bands, tags, of_bands) in files:
            _write(each, image[0], valid, transform, grid.crs, bands, shared | tags, of_bands)
    warnings = [*ready.notes, *source.seen, *(note for each in outputs for note in each.notes)]
    gains = ready.mtf
    if not grid.located and (y, x) != ((ry - 1) / 2, (rx - 1) / 2):
        phase = f"{y:.3f}, {x:.3f} PAN pixels"
        warnings.append(f"without georeferencing only the tag {PHASE} says where MS lies, at a phase of {phase}")
    return Reduced(
        files={name.removesuffix(".tif"): str(target / name) for name in NAMES},
        size=reduced.size,
        ms_size=reduced.ms_size,
        ratio=(ry, rx),
        phase=(y, x),
        sensor=source.sensor.name,
        shift_pixels=ready.offset.shift,
        shift_applied=ready.corrected,
        mtf_gains=list(gains.gains),
        mtf_source=gains.source,
        mtf_confidence=None if gains.confidence != gains.confidence else gains.confidence,
        warnings=warnings,
    )


def _covered(source: Source) -> tuple[Pair, tuple[int, int]]:
    """The scene in float64 with the MS pixels that are centred on PAN, and where the first of them lies in MS."""
    pair = doubled(source.whole())
    rows, columns = ms_core(pair)
    # reading began at some MS pixel; the phases say which
    begin = [round((a - b) / r) for a, b, r in zip(pair.phase[0], source.phase[0], pair.ratio)]
    top, left = (s.indices(n)[0] for s, n in zip((rows, columns), pair.ms_size))
    cut = replace(
        pair,
        ms=pair.ms[..., rows, columns],
        ms_valid=None if pair.ms_valid is None else pair.ms_valid[..., rows, columns],
        phase=tuple((y + top * pair.ratio[0], x + left * pair.ratio[1]) for y, x in pair.phase),
        core=None,
    )
    return cut, (begin[0] + top, begin[1] + left)


def _write(target: Output, image, valid, transform, crs, names: list[str], tags: dict, band_tags: Sequence) -> None:
    counts = np.asarray(image, dtype=np.float32)
    if valid is not None:
        counts = np.where(valid[0], counts, np.float32("nan"))
    size = height, width = counts.shape[1:]
    profile = Profile("float32", "gtiff", "deflate")
    with Sink(target, Grid(transform, crs, size), len(counts), profile, nodata=float("nan")) as sink:
        sink.describe(names, tags, band_tags=band_tags)
        sink.write((0, height, 0, width), counts, None)
        sink.finish()


__all__ = ["Reduced", "degrade_file"]
