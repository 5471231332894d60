"""`panflow assess FUSED --pan PAN --ms MS [MS ...] [--reference REF]`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from panflow.cli._options import PATH, arithmetic, mib, names, progress, scene
from panflow.errors import InputError
from panflow.files.remote import path_of

if TYPE_CHECKING:
    from panflow.cli._table import Table
    from panflow.scene.assess import Assessment


@click.command("assess", short_help="Judge a sharpened file of any tool by the quality indices.")
@click.argument("files", nargs=-1, required=True, metavar="FUSED")
@click.option("--pan", help="The PAN file.")
@click.option("--ms", multiple=True, metavar="MS [MS ...]", help="MS: a multi-band file, band files, or file,band=n.")
@click.option("--scene", "folder", help="In place of --pan and --ms: a scene's folder or metadata file.")
@click.option("--reference", metavar="FILE", help="The truth on the same grid, where there is one.")
@click.option(
    "--indices",
    metavar="SET|NAME,...",
    callback=names,
    help="toolbox, otfm, unipan, or names of `panflow names indices`.",
)
@scene
@arithmetic
@click.option("--csv", "csv_file", type=PATH, help="Also write the indices as CSV.")
@click.option("--maps", type=PATH, help="A folder for maps: pictures (.png) and arrays (.npy).")
@click.option("--overwrite", is_flag=True, help="Replace the CSV file and the maps where they exist.")
@click.option("--jobs", "-j", type=click.IntRange(min=1), help="Threads.  [default: all cores]")
@click.option("--max-memory", metavar="SIZE", help="Up to which a scene is computed whole.  [default: 4GiB]")
@progress
@click.option("--quiet", "-q", is_flag=True, help="No progress bar.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as one JSON object.")
def command(
    files, pan, ms, folder, bands, indices, csv_file, max_memory, overwrite, progress, quiet, as_json, **options
) -> None:
    """Judge FUSED, a sharpened file of any tool: without reference by PAN and MS, with one by the reference.

    FUSED comes first, and lies on the pixels of PAN (or of the reference). Besides the indices, with their 95 %
    intervals, it tells how far the result, seen by the MS sensor, is from MS, how NDVI and NDWI have moved, and which
    pixels are clipped or missing.
    """
    from panflow.cli._console import progress_of
    from panflow.files.output import several
    from panflow.files.product import named
    from panflow.scene.assess import assess_file

    fused, *more = files
    if more and not ms:
        raise InputError(f"one file is judged at a time, and {len(files)} came: give MS by --ms")
    if folder and (pan or ms):
        raise InputError("--scene names PAN and MS, and so do --pan and --ms: expected one of the two")
    pair = named([folder]) if folder else None
    pan, ms = (pair.pan, pair.ms) if pair else (pan, [*ms, *more])
    inputs = [path for path in (fused, *ms, pan, options["reference"]) if path]
    tables = [csv_file] if csv_file else []
    with (
        several(tables, inputs=inputs, overwrite=overwrite, result=True) as outputs,
        progress_of(progress, quiet or as_json) as update,
    ):
        report = assess_file(
            fused,
            pan,
            ms,
            bands=bands or (pair.bands if pair else ()),
            tags=pair.tags if pair else None,
            indices=indices[0] if len(indices) == 1 else list(indices) or None,  # one may be a set
            max_memory=mib(max_memory),
            overwrite=overwrite,
            progress=update,
            **options,
        )
        table = _table(report)
        for output in outputs:
            output.write(table.csv())
    if as_json:
        click.echo(json.dumps(report.as_dict()))
        return
    table.show()
    click.echo()
    lines = _lines(report)
    for name, value in lines:
        click.echo(f"{name.ljust(max(len(name) for name, _ in lines))}  {value}")
    for warning in report.warnings:
        click.echo(f"note: {warning}", err=True)


def _table(report: Assessment) -> Table:
    from panflow import registry
    from panflow.cli._table import Table
    from panflow.indices._case import direction

    rows = []
    for name, value in report.indices.items():
        index = registry.get("indices", name).Index
        low, high = report.intervals[name] or (None, None)
        rows.append([name, value, low, high, index.unit, direction(index), report.notes.get(name, "")])
    headers = ["index", "value", "2.5 %", "97.5 %", "unit", "", ""]
    kept = [i for i in range(len(headers)) if i < 2 or any(row[i] not in ("", None) for row in rows)]
    return Table([headers[i] for i in kept], [[row[i] for i in kept] for row in rows])


def _lines(report: Assessment) -> list[tuple[str, str]]:
    """(name, value) of what is checked by eye, of the geometry and the optics."""
    from panflow.ops.mtf import MTF

    bands = [f"{b['band']} {b['rmse']:.4g} ({100 * b['relative']:.2f} %)" for b in report.consistency]
    lines = [("RMSE to MS", ", ".join(bands))]
    for name, moved in report.drift.items():
        lines.append((f"{name.upper()} drift", f"{moved['mean']:+.4f}, RMS {moved['rms']:.4f} (MS {moved['ms']:.4f})"))
    lines += [
        ("clipped pixels", f"{report.clipped_pixels:,}"),
        (
            "nodata pixels",
            f"{report.nodata_pixels:,} of {report.pixels:,}, {report.fused_nodata_pixels:,} in the result",
        ),
        ("sensor", f"{report.sensor} ({report.sensor_reason})" if report.sensor_reason else report.sensor),
    ]
    if report.phase:
        (y, x), (dy, dx) = report.phase, report.shift_pixels
        used = "corrected" if report.shift_applied else "not corrected"
        lines.append(("phase", f"{y:.2f}, {x:.2f} PAN pixels; shift {dy:+.2f}, {dx:+.2f}, {used}"))
        lines.append(("MTF gains", str(MTF(tuple(report.mtf_gains), report.mtf_source, report.mtf_confidence))))
    how = "whole" if report.tiles == 1 else f"in {report.tiles} tiles"
    lines.append(("time", f"{report.seconds:.2f} s, computed {how}, peak memory {report.peak_mib:.0f} MiB"))
    if report.maps:
        lines.append(("maps", f"{len(report.maps)} files in {path_of(report.maps[0]).parent}"))
    return [(name, value) for name, value in lines if value]
