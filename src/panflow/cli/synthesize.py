"""`panflow synthesize DIR`: a drawn scene and its truth."""

from math import isnan, nan

import click

from panflow.cli._options import PATH
from panflow.files.remote import AnyPath

SHARE = click.FloatRange(0, 1, max_open=True)
FARTHEST = 100  # PAN pixels
COPIES = 4  # of the image in float32, at the peak of drawing it


@click.command("synthesize", short_help="Draw a scene and its truth: pan.tif, ms.tif and truth.tif.")
@click.argument("folder", type=PATH)
@click.option("--sensor", default="worldview3", show_default=True)
@click.option("--size", default=1024, show_default=True, type=click.IntRange(64, 2**15), help="PAN pixels a side.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@click.option("--shift", default="0,0", show_default=True, metavar="DY,DX", help="Of MS, in PAN pixels.")
@click.option(
    "--noise",
    default=0.001,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Standard deviation as a share of full scale.",
)
@click.option(
    "--nodata",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0, 1, max_open=True),
    help="Share of the image that a nodata border hides.",
)
@click.option("--overwrite", is_flag=True)
def command(
    folder: AnyPath, sensor: str, size: int, seed: int, shift: str, noise: float, nodata: float, overwrite: bool
):
    """Write a synthetic georeferenced scene with roads, roofs, fields and water into FOLDER."""
    from panflow.data import synthetic
    from panflow.errors import InputError
    from panflow.files import output
    from panflow.ops.memory import require_room
    from panflow.sensors import load

    try:
        dy, dx = (float(v) for v in shift.split(","))
    except ValueError:
        dy = dx = nan
    if not max(abs(dy), abs(dx)) <= FARTHEST:
        raise InputError(f"--shift {shift!r}: expected DY,DX of at most {FARTHEST} PAN pixels")
    if isnan(noise + nodata):
        raise InputError("--noise and --nodata: expected shares from 0 to 1")
    known = load(sensor)
    require_room(size * size * (len(known.bands) + 1) * 4 * COPIES / 2**20, f"a scene of {size} x {size} PAN pixels")
    folder = output.folder(folder)
    with output.several(
        [folder / f"{name}.tif" for name in synthetic.FILES], overwrite=overwrite, result=True
    ) as files:
        pair = synthetic.scene(size, known, seed=seed, shift=(dy, dx), noise=noise, nodata=nodata)
        nominal = ((pair.ratio[0] - 1) / 2, (pair.ratio[1] - 1) / 2)
        synthetic.write(pair, folder, phase=nominal, outputs=files)
    click.echo(f"{folder}: pan.tif, ms.tif, truth.tif ({sensor}, {size} x {size} PAN pixels)")
