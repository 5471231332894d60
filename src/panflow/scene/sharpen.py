"""Whole scenes from files to a file, in bounded memory."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from panflow import registry, zoo
from panflow.arrays import to_numpy
from panflow.errors import InputError, Untrusted
from panflow.files.offsets import write_offsets
from panflow.files.output import Output
from panflow.files.scene import Scene
from panflow.files.sink import Packing, Profile, Sink
from panflow.files.tiff import Tile
from panflow.files.units import Units
from panflow.ops.cores import available
from panflow.ops.mtf import Choice as MTFChoice
from panflow.ops.register import Registration
from panflow.ops.window import Core
from panflow.scene import cluster, engine, record
from panflow.scene.analysis import Analysis, Lacks, lacking
from panflow.scene.counts import counts, nodata_in
from panflow.scene.fit import Fit
from panflow.scene.flags import BITS, Flagging
from panflow.scene.memory import peak_mib
from panflow.scene.opening import opened, opened_together
from panflow.scene.report import Report
from panflow.scene.verdict import BAD, Verdict, verdict
from panflow.types import YX, Progress, Sensor, Sharpener, yx

TAGS = {f"FLAG_{1 << bit}": f"{name}: {text}" for bit, (name, text) in enumerate(BITS.items())}  # of flags' band


def sharpen_file(
    pan: str | Path,
    ms: str | Path | Sequence[str | Path],
    out: str | PurePath | Output,
    *,
    method: str | Path | Sharpener | None = None,
    sensor: str | Sensor = "auto",
    bands: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
    register: str | YX = "auto",
    nodata: float | None = None,
    arithmetic: str = "standard",
    mtf: MTFChoice = "auto",
    bounds: str | Sequence[float] | None = None,
    pixels: str | Sequence[int] | None = None,
    dem: str | float | None = None,
    offsets: str | Path | None = None,
    units: str = "auto",
    whole_fit: bool = False,
    fit: str | Path | Fit | None = None,
    save_fit: str | Path | Output | None = None,
    save_offsets: str | Path | Output | None = None,
    profile: Profile | None = None,
    analysis: Analysis | None = None,
    jobs: int | None = None,
    max_memory: float | None = None,
    overwrite: bool = False,
    strict: bool = False,
    resume: bool = False,
    hash_inputs: bool = False,
    scheduler: Any = None,
    progress: Progress | None = None,
    **options: Any,
) -> Report:
    """Sharpen MS by PAN from files to a georeferenced file on the PAN grid; returns the run's report.

    pan: a file; ms: files or `file,band=n` picks; method: a name, a model file or a sharpener; sensor: a name or
    "auto"; bands: names of the MS bands, where the files do not name them; tags: metadata of the sensor besides the
    files'; register: "auto" corrects a confident offset of MS, "off" trusts the georeferencing, (dy, dx) PAN pixels
    sets it; offsets: a file of `save_offsets`, whose offsets are taken; nodata: a value that counts as nodata besides
    what the files declare; arithmetic, mtf: as for `panflow.sharpen`; bounds: only the part within (west, south, east,
    north) in PAN's reference system, or pixels: (first row, first column, rows, columns); dem: heights, a file or
    metres, where RPC place MS on PAN; units: "auto" computes in physical ones where files have scale and offset tags,
    "physical" asks for these, "counts" ignores them; the result is in counts, with the tags of MS; whole_fit: offset,
    MTF and what the method fits are those of the whole scene, and the part has the bits of the whole result; fit: of
    another scene or of several (`fit_files`), or a file of it; save_fit: where to write this scene's, save_offsets: by
    what offsets MS was corrected, a GeoTIFF; profile: type, format and compression of the result; analysis: files to
    write beside it; jobs: threads; max_memory: MiB; strict: rather no result than a bad one; resume: keep what is
    written when the process ends early, and go on from it (a plain GeoTIFF, zstd, of integers); hash_inputs: the
    result's tags keep the SHA-256 of the inputs; scheduler: of a dask cluster, its address or a `Client`, whose workers
    compute the blocks; options: of the method, as `panflow.load` takes them (device, context, seed, detail, consistent,
    runtime, which is "auto" here: the fastest that keeps the quality).

    out may be an `Output`, whose name was checked before. Raises InputError, GeometryError, UnknownName, OutputError,
    and Untrusted where the verdict is bad and `strict` was asked for. Until the result is whole, `out` is not touched.
    """
    started = time.perf_counter()
    jobs = jobs or available()
    mtf = "raised" if options.get("detail") == "ms" and mtf == "auto" else mtf
    scene = Scene.of(
        pan,
        ms,
        sensor=sensor,
        bands=bands,
        tags=tags,
        register=register,
        nodata=nodata,
        arithmetic=arithmetic,
        mtf=mtf,
        bounds=bounds,
        pixels=pixels,
        dem=dem,
        units=units,
        offsets=None if offsets is None else str(offsets),
    )
    profile = profile or Profile()
    fit = Fit.read(fit) if isinstance(fit, (str, Path)) else fit
    with ExitStack() as stack:
        client = stack.enter_context(cluster.connected(scheduler)) if scheduler else None
        inputs = [*scene.files, *([scene.offsets] if scene.offsets else [])]
        output, kept, kept_offsets, flags = (
            stack.enter_context(_output(name, inputs, overwrite)) if name else None
            for name in (out, save_fit, save_offsets, analysis and analysis.flags)
        )
        assert output is not None
        profile = profile.settled(output.path)
        report = _sharpened(
            scene,
            output,
            profile,
            method,
            options,
            whole_fit,
            hash_inputs,
            resume,
            fit,
            kept,
            kept_offsets,
            flags,
            jobs,
            max_memory,
            strict,
            progress,
            client,
        )
    seconds = time.perf_counter() - started
    return replace(report, seconds=seconds, mpix_per_second=report.pixels / 1e6 / seconds, peak_mib=peak_mib())


def _sharpened(
    scene: Scene,
    output: Output,
    profile: Profile,
    method: str | Path | Sharpener | None,
    options: Mapping[str, Any],
    whole_fit: bool,
    hash_inputs: bool,
    resume: bool,
    fit: Fit | None,
    kept: Output | None,
    kept_offsets: Output | None,
    flags: Output | None,
    jobs: int,
    max_memory: float | None,
    strict: bool,
    progress: Progress | None,
    client: Any,
) -> Report:
    """The report of a run, without what it cost."""
    sharpener, name = _sharpener(method, options, progress)
    if fit:
        fit.require_method(name)
    with (
        opened(
            scene, jobs, whole=whole_fit, fit=fit, uses_mtf=sharpener.uses_mtf, GDAL_TIFF_INTERNAL_MASK=True
        ) as ready,
        threadpool_limits(limits=1),
    ):
        source, part = ready.source, ready.part
        chosen = source.chosen(profile.write)
        grid = source.grid.cut(part)
        region = source.extent if whole_fit or fit else part
        output.refuse(source.files)
        _require_trust(output, verdict(ready), strict)
        engine.load_loops(part)
        source.require_data([*engine.sample(part), *engine.lattice(part)])
        fitted = sharpener.with_state(fit.state) if fit else engine.fit([(source, region)], sharpener, jobs, progress)
        run = engine.planned(source, fitted, jobs, max_memory, progress, part=part, region=region)
        kind = profile.pixels(source.ms_dtype)
        declared = source.ms_nodata if source.ms_nodata is not None else source.nodata
        absent = nodata_in(kind, declared, source.may_have_holes)
        mask = absent is None and source.may_have_holes
        clipped = holes = 0
        layout: dict[str, Any] = {"jobs": jobs, "block": engine.BLOCK}
        layout["aligned"] = part[0] % engine.BLOCK == part[2] % engine.BLOCK == 0
        with ExitStack() as stack:
            typed = replace(profile, dtype=kind.name)
            sink = stack.enter_context(Sink(output, grid, len(chosen), typed, nodata=absent, mask=mask, **layout))
            flag_sink = None
            if flags:
                flag_sink = stack.enter_context(Sink(flags, grid, 1, Profile("uint8", overviews=False), **layout))
                flag_sink.describe(["flags"], {"PANFLOW_RESULT": output.path.name}, band_tags=[TAGS])
            sink.describe(
                [source.names[k] or (source.sensor.bands[k].name if profile.write else "") for k in chosen],
                record.of_inputs(scene, ready, name, options, hash_inputs),
                colors=[source.colors[k] for k in chosen],
                scales=[source.scales[k] for k in chosen],
                offsets=[source.offsets[k] for k in chosen],
                units=[source.units[k] for k in chosen],
                band_tags=[source.band_tags[k] for k in chosen],
                imagery=[source.imagery[k] for k in chosen],
            )

            if resume:
                if name == "custom" or options.get("adapt"):
                    raise InputError("resume: expected a method or model by its name, that is not adapted to the scene")
                if options.get("consistent") or flags:
                    raise InputError("resume: expected neither a consistent result nor flags, which are of one run")
                taken = Fit.of(source, name, ready.offset, ready.corrected, ready.mtf, fitted).text
                offsets = ready.offset.totals(source.bands)[0].tolist()
                done = sink.resume(_digest(scene, source.paths, part, profile, absent, options, taken, offsets))
                places = {block.core for block in done}
                run = replace(run, tiles=[core for core in run.tiles if run.place(core) not in places])
                clipped, holes = (sum(getattr(block, key) for block in done) for key in ("clipped", "holes"))
                if sink.begun_anew:
                    output.notes.append("what an earlier run has left is of other inputs or options: begun anew")
            elif output.kept(".tif").exists():
                output.notes.append("this replaces what an interrupted run with --resume has left")
            consistent = bool(options.get("consistent"))
            flagging = (Flagging.of(ready, kind.name), flag_sink.pack) if flag_sink else None
            work = _Work(kind.name, absent, source.physical, chosen, sink.pack, consistent, flagging)
            field = ready.offset.field if ready.corrected else None
            blocks = cluster.each(client, scene, field, run, work) if client else run.each(work)
            lacks, flagged = Lacks(len(chosen)), np.zeros(len(BITS), np.int64)
            for core, packed, valid, beyond, missing, mask_packed, set_bits in blocks:
                lacks.add(missing)
                if flag_sink and mask_packed is not None:
                    flag_sink.write(core, mask_packed, None)
                    flagged += set_bits
                empty = 0 if valid is None else int(valid.size - valid.sum())
                sink.write(core, packed, valid, beyond, empty)
                clipped += beyond
                holes += empty
            pixels = grid.size[0] * grid.size[1]
            judged = _require_trust(output, verdict(ready, clipped, pixels - holes), strict)
            if kept:
                kept.write(Fit.of(source, name, ready.offset, ready.corrected, ready.mtf, fitted).text)
            if kept_offsets:
                applied = ready.offset if ready.corrected else Registration()
                write_offsets(kept_offsets, applied, source.grid, [band.name for band in source.sensor.bands])
            if progress:
                progress("finish", 0, 1)
            report = Report(
                output=output.out,
                sensor=source.sensor.name,
                method=name,
                ratio=source.ratio,
                phase=_mean(source.phase),
                shift_pixels=ready.offset.shift,
                shift_applied=ready.corrected,
                shift_confidence=ready.offset.confidence,
                shift_windows=ready.offset.windows,
                shift_scatter=ready.offset.scatter,
                shift_varies=ready.offset.field.largest if ready.corrected and ready.offset.field else 0.0,
                fit_r2=(ready.offset.r2_before, ready.offset.r2_after),
                band_shifts=list(ready.offset.band_shifts) if ready.corrected else [],
                clipped_pixels=clipped,
                nodata_pixels=holes,
                pixels=pixels,
                seconds=0.0,
                mpix_per_second=0.0,
                peak_mib=0.0,
                sensor_reason="" if source.why == "given" else source.why,
                evaluations=fitted.evaluations,
                mtf_gains=list(ready.mtf.gains),
                mtf_source=ready.mtf.source,
                mtf_confidence=ready.mtf.confidence,
                part=part if grid.size != source.size else None,
                warnings=[*ready.notes, *source.seen, *run.warnings, *judged.reasons],
                verdict=judged.word,
                reasons=list(judged.reasons),
                bands=[band.name for band in source.sensor.bands],
                agreement=asdict(ready.agreement),
                weights=to_numpy(fitted.intensity[1])[0].tolist() if fitted.intensity else [],
                written=[source.sensor.bands[k].name for k in chosen] if profile.write else [],
                weights_source=fitted.intensity[0] if fitted.intensity else "",
                consistency=lacks.bounds if consistent else {},
                flagged=dict(zip(BITS, flagged.tolist())) if flag_sink else {},
            )
            if flag_sink:
                flag_sink.finish()
            sink.finish(record.of_result(report))
            if progress:
                progress("finish", 1, 1)
    return replace(report, warnings=[*report.warnings, *output.notes])


def _require_trust(output: Output, judged: Verdict, strict: bool) -> Verdict:
    """The verdict, or Untrusted where it is bad and that was to be an error."""
    if strict and judged.word == BAD:
        raise Untrusted(f"{output.out} is not written, as asked by strict: {'; '.join(judged.reasons)}")
    return judged


def _digest(scene: Scene, files: Sequence[str], *rest: Any) -> str:
    """Of all that a result's pixels depend on; of files of this machine, how long they are and when they changed."""
    states = [(file, os.stat(file).st_size, os.stat(file).st_mtime_ns) for file in files if os.path.exists(file)]
    return sha256(repr((scene, states, rest)).encode()).hexdigest()


def _output(name: str | PurePath | Output, inputs: Sequence[str], overwrite: bool) -> Output:
    return name if isinstance(name, Output) else Output(name, inputs=inputs, overwrite=overwrite)


def _sharpener(
    method: str | Path | Sharpener | None, options: Mapping[str, Any], progress: Progress | None
) -> tuple[Sharpener, str]:
    """The sharpener, not fitted yet, and its name."""
    if callable(method) and options:
        raise InputError(f"{', '.join(options)}: expected no options of a method that is a sharpener already")
    if str(method) in registry.names("methods") and options.get("device", "auto") not in ("auto", "cpu"):
        raise InputError(
            f"device {options['device']}: the method {method} computes on the CPU; only models go elsewhere"
        )
    sharpener = method if callable(method) else zoo.load(method, progress=progress, **{"runtime": "auto", **options})
    name = str(method) if isinstance(method, (str, Path)) else zoo.DEFAULT if method is None else "custom"
    return sharpener, name


def fit_files(
    scenes: Sequence[Scene],
    *,
    method: str | Path | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Fit:
    """What `sharpen_file` takes from a scene, taken from several of one sensor together: neighbours that are sharpened
    with it have no seams. method, jobs, options: as there. Raises as it does."""
    jobs = jobs or available()
    if options.get("detail") == "ms":  # as `sharpen_file` does
        scenes = [replace(scene, mtf="raised") if scene.mtf == "auto" else scene for scene in scenes]
    sharpener, name = _sharpener(method, options, progress)
    with opened_together(scenes, jobs, uses_mtf=sharpener.uses_mtf) as ready, threadpool_limits(limits=1):
        fitted = engine.fit([(each.source, each.part) for each in ready], sharpener, jobs, progress)
        first = ready[0]
        return Fit.of(first.source, name, first.offset, first.corrected, first.mtf, fitted)


@dataclass(frozen=True)
class _Work:
    """From a block's image to what is written of it."""

    kind: str
    absent: float | None
    units: Units | None
    places: list[int]
    pack: Packing
    consistent: bool
    flagging: tuple[Flagging, Packing] | None

    def __call__(self, core: Core, image: np.ndarray, valid: np.ndarray | None, tile: engine.Tile) -> Packed:
        result, beyond = self.counts(image, valid, self.places)
        missing = lacking(tile, self.counts, self.units)[:, self.places] if self.consistent else None
        mask_packed, set_bits = None, np.zeros(len(BITS), np.int64)
        if self.flagging:
            flagging, pack = self.flagging
            mask = flagging(tile, self.in_counts(image, self.places), valid)
            mask_packed = pack(core, mask)
            set_bits = np.array([np.count_nonzero(mask >> bit & 1) for bit in range(len(BITS))])
        return core, self.pack(core, result), valid, beyond, missing, mask_packed, set_bits

    def counts(
        self, image: np.ndarray, valid: np.ndarray | None, bands: Sequence[int] | None = None
    ) -> tuple[np.ndarray, int]:
        """As they are written, of all bands or some, and how many pixels were clipped."""
        return counts(self.in_counts(image, bands), valid, np.dtype(self.kind), self.absent)

    def in_counts(self, image: np.ndarray, bands: Sequence[int] | None) -> np.ndarray:
        image = self.units.counts(image) if self.units else image
        return image if bands is None else image[bands]


Pixels = np.ndarray | list[Tile]
# core, pixels, valid, how many were clipped, what they lack of MS, flags, how many have each
Packed = tuple[Core, Pixels, np.ndarray | None, int, np.ndarray | None, Pixels | None, np.ndarray]


def _mean(phase: tuple[YX, ...]) -> YX:
    return yx(float(v) for v in np.mean(phase, axis=0))


__all__ = ["fit_files", "sharpen_file"]
