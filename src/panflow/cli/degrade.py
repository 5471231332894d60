"""`panflow degrade PAN MS [MS ...] OUTDIR`."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from panflow.errors import InputError


@click.command("degrade", short_help="Reduce a pair by Wald's protocol, so that its truth is known.")
@click.argument("files", nargs=-1, required=True, metavar="PAN MS [MS ...] OUTDIR")
@click.option("--sensor", default="auto", show_default=True, help="A name of `panflow names sensors`, or auto.")
@click.option("--bands", metavar="NAME,...", help="Band names where files lack them, e.g. red,green,blue,nir.")
@click.option(
    "--register",
    default="auto",
    show_default=True,
    metavar="auto|off|DY,DX",
    help="The offset of MS in PAN pixels: measured, as georeferenced, or as given (rows, columns).",
)
@click.option("--nodata", type=float, help="A value that counts as nodata, besides what the files declare.")
@click.option("--overwrite", is_flag=True, help="Replace the files where they exist.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as one JSON object.")
def command(files, bands, as_json, **options) -> None:
    """Write pan.tif, ms.tif and reference.tif into OUTDIR: the pair at the resolution of MS, and MS as its truth.

    Sharpen the two and judge the result with `panflow assess FUSED --reference OUTDIR/reference.tif`.
    """
    from panflow.scene.degrade import degrade_file

    if len(files) < 3:
        raise InputError("expected PAN, MS and OUTDIR")
    pan, *ms, folder = files
    names = tuple(name.strip() for name in bands.split(",")) if bands else ()
    found = degrade_file(pan, ms, folder, bands=names, **options)
    if as_json:
        click.echo(json.dumps(asdict(found)))
        return
    (h, w), (y, x) = found.size, found.phase
    click.echo(f"{folder}: {', '.join(f'{name}.tif' for name in found.files)} ({h} x {w} PAN pixels, {found.sensor})")
    click.echo(f"ratio {found.ratio[0]:.4g} x {found.ratio[1]:.4g}, phase {y:.2f}, {x:.2f} PAN pixels")
    for warning in found.warnings:
        click.echo(f"note: {warning}", err=True)
