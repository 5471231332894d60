"""`panflow degrade PAN MS [MS ...] OUTDIR`, or `panflow degrade SCENE OUTDIR`."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from panflow.cli._options import arithmetic, progress, scene


@click.command("degrade", short_help="Reduce a pair by Wald's protocol, so that there is a truth.")
@click.argument("files", nargs=-1, required=True, metavar="PAN MS [MS ...] OUTDIR | SCENE OUTDIR")
@scene
@arithmetic
@click.option("--overwrite", is_flag=True, help="Replace the files where they exist.")
@progress
@click.option("--quiet", "-q", is_flag=True, help="No progress bar and no summary.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as one JSON object.")
def command(files, bands, progress, quiet, as_json, **options) -> None:
    """Write pan.tif, ms.tif and reference.tif into OUTDIR: the pair at the resolution of MS, and MS as its truth.

    ms.tif records the MTF gains and the phase that it was made with, which `--mtf auto` takes in place of an estimate.
    Sharpen the two and judge the result with `panflow assess FUSED --reference OUTDIR/reference.tif`.
    """
    from panflow.cli._console import progress_of
    from panflow.files.product import named
    from panflow.ops.mtf import MTF
    from panflow.scene.degrade import degrade_file

    *inputs, folder = files
    pair = named(inputs, "OUTDIR")
    with progress_of(progress, quiet or as_json) as update:
        reduced = degrade_file(
            pair.pan, pair.ms, folder, bands=bands or pair.bands, tags=pair.tags, progress=update, **options
        )
    if as_json:
        click.echo(json.dumps(asdict(reduced)))
        return
    if not quiet:
        (h, w), (y, x) = reduced.size, reduced.phase
        click.echo(
            f"{folder}: {', '.join(f'{name}.tif' for name in reduced.files)} ({h} x {w} PAN pixels, {reduced.sensor})"
        )
        click.echo(f"ratio {reduced.ratio[0]:.4g} x {reduced.ratio[1]:.4g}, phase {y:.2f}, {x:.2f} PAN pixels")
        sure = float("nan") if reduced.mtf_confidence is None else reduced.mtf_confidence
        click.echo(f"MTF gains {MTF(tuple(reduced.mtf_gains), reduced.mtf_source, sure)}")
    for warning in reduced.warnings:
        click.echo(f"note: {warning}", err=True)
