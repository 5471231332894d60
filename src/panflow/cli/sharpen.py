"""`panflow sharpen PAN MS [MS ...] OUT`, or `panflow sharpen SCENE OUT`."""

from __future__ import annotations

import click

from panflow.cli._options import PATH, arithmetic, mib, progress, scene
from panflow.files.remote import path_of
from panflow.files.sink import COMPRESSIONS, FORMATS, Profile


@click.command("sharpen", short_help="Sharpen a scene: PAN and MS files in, a file on the PAN grid out.")
@click.argument("files", nargs=-1, required=True, metavar="PAN MS [MS ...] OUT | SCENE OUT")
@click.option("--method", "-m", help="A method, a bundled model or a model file (`panflow names methods`).")
@scene
@arithmetic
@click.option(
    "--weights",
    metavar="mean|sensor|fit|W,...",
    help="Of the bands in the intensity of brovey, gs, ihs and esri: all equal, by PAN's spectral response, fitted to "
    "the scene, or one a band.  [default: sensor where it is known, else fit]",
)
@click.option("--bounds", metavar="W,S,E,N", help="Only this part, in map coordinates of PAN's reference system.")
@click.option("--pixels", metavar="ROW,COL,ROWS,COLS", help="Only this part, in PAN pixels.")
@click.option("--dem", metavar="FILE|METRES", help="Heights, where RPC and no map axes place MS on PAN.")
@click.option("--save-offsets", metavar="FILE", help="Keep by what MS was corrected: a GeoTIFF of dy and dx.")
@click.option("--offsets", metavar="FILE", help="Correct MS by a file of --save-offsets.")
@click.option("--whole-fit", is_flag=True, help="Fit to the whole scene though a part is meant: it equals the whole's.")
@click.option(
    "--detail",
    type=click.Choice(["pan", "ms"]),
    default="pan",
    show_default=True,
    help="Of the default model: as sharp as PAN, or as the MS sensor would see it on PAN's grid.",
)
@click.option(
    "--consistent", is_flag=True, help="Add what the result lacks of MS, and print how near it then is, degraded again."
)
@click.option(
    "--flags", type=PATH, metavar="FILE", help="Also write a mask: saturated, clipped, filled, moved, guessed."
)
@click.option("--save-fit", metavar="FILE", help="Keep what is taken from the scene (offset, MTF, statistics).")
@click.option("--fit", metavar="FILE", help="Take that from a file of --save-fit, so that neighbours show no seams.")
@click.option(
    "--units",
    type=click.Choice(["auto", "counts", "physical"]),
    default="auto",
    show_default=True,
    help="What is computed in: physical by the files' scale and offset tags, auto where there are such. The result is "
    "in counts, with MS's tags.",
)
@click.option("--write", default="", metavar="NAME,...", help="Only these bands, by role, name or number; all count.")
@click.option("--dtype", help="Type of the result, e.g. uint16 or float32.  [default: as MS]")
@click.option("--format", type=click.Choice(FORMATS), help="[default: cog where OUT ends in .tif, else gtiff]")
@click.option("--compress", type=click.Choice(COMPRESSIONS), default="zstd", show_default=True)
@click.option("--level", type=click.IntRange(min=1), help="Of zstd or deflate.  [default: 3 and 6]")
@click.option("--overviews/--no-overviews", default=None, help="[default: only in a COG]")
@click.option("--jobs", "-j", type=click.IntRange(min=1), help="Threads.  [default: all cores]")
@click.option("--max-memory", metavar="SIZE", help="Bound on memory, in MiB or as 2GiB.")
@click.option("--resume", is_flag=True, help="Keep what is written when stopped, and go on from it (--format gtiff).")
@click.option("--scheduler", metavar="ADDRESS", help="Compute on the workers of a dask cluster, tcp://HOST:PORT.")
@click.option(
    "--device",
    default="auto",
    show_default=True,
    help="Of learned models: auto, cpu, cuda or mps; several, cuda:0,cuda:1, share the tiles.",
)
@click.option("--runtime", default="auto", show_default=True, help="Of networks on a CPU: `panflow names runtimes`.")
@click.option(
    "--context", type=click.IntRange(min=0), help="Tiles with so many PAN pixels around, for global networks."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the noise that diffusion models start from.")
@click.option(
    "--adapt", type=click.FloatRange(min=1), metavar="SECONDS", help="Tune the learned model to the scene first."
)
@click.option("--save-adapter", metavar="FILE", help="Keep what --adapt changes, some kB, for other scenes like this.")
@click.option("--adapter", metavar="FILE", help="Use a model with what --save-adapter kept.")
@click.option("--overwrite", is_flag=True, help="Replace OUT, and the PNG, where they exist.")
@click.option("--strict", is_flag=True, help="No result, and exit code 6, where its verdict is bad.")
@click.option("--hash-inputs", is_flag=True, help="Keep the SHA-256 of the input files in the result's tags.")
@click.option("--stac", is_flag=True, help="Also write a STAC Item of the result: OUT with .json.")
@click.option("--stac-file", type=PATH, metavar="FILE", help="The same, into FILE.")
@click.option("--datetime", metavar="TIME", help="Of the acquisition, for the Item, where the sources do not say it.")
@click.option("--quicklook", type=PATH, help="Also write a PNG that shows before and after.")
@progress
@click.option("--report", "page", type=PATH, help="Also write an HTML page: verdict, pictures, numbers.")
@click.option("--quiet", "-q", is_flag=True, help="No progress bar and no summary.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
def command(
    files,
    bands,
    dtype,
    format,
    compress,
    level,
    overviews,
    write,
    max_memory,
    overwrite,
    flags,
    save_fit,
    save_offsets,
    quicklook,
    page,
    stac,
    stac_file,
    datetime,
    progress,
    quiet,
    as_json,
    weights,
    **options,
) -> None:
    """Sharpen MS by PAN into OUT, which lies exactly on the PAN grid.

    MS is one multi-band file, several band files, or picks such as `scene.tif,band=3`. SCENE is a folder or
    metadata file of a product that panflow reads (Landsat, DIMAP, Maxar, GaoFen), or a STAC Item (.json).
    """
    from panflow.cli._console import progress_of, show
    from panflow.files.output import several
    from panflow.files.product import named
    from panflow.scene.analysis import Analysis
    from panflow.scene.sharpen import sharpen_file

    *inputs, out = files
    given = named(inputs, "OUT")
    if stac and not stac_file:
        stac_file = path_of(out).with_suffix(".json")
    if stac_file:
        from panflow.scene import catalog

        taken = catalog.acquisition(given, datetime)
    asked = {"out": out, "quicklook": quicklook, "page": page, "stac": stac_file, "flags": flags}
    asked |= {"save_offsets": save_offsets, "save_fit": save_fit}
    asked = {what: name for what, name in asked.items() if name}
    read = [*inputs, *given.files, *([options["offsets"]] if options["offsets"] else [])]
    with (
        several(asked.values(), inputs=read, overwrite=overwrite, result=True) as checked,
        progress_of(progress, quiet or as_json) as update,
    ):
        outputs = dict(zip(asked, checked))
        report = sharpen_file(
            given.pan,
            given.ms,
            outputs["out"],
            bands=bands or given.bands,
            tags=given.tags,
            profile=Profile(dtype, format, compress, level, overviews, write),
            max_memory=mib(max_memory),
            analysis=Analysis(flags=outputs.get("flags")),
            save_fit=outputs.get("save_fit"),
            save_offsets=outputs.get("save_offsets"),
            progress=update,
            **({"weights": weights} if weights else {}),
            **options,
        )
        if quicklook:
            from panflow.scene.quicklook import quicklook_file

            quicklook_file(out, given.pan, given.ms, outputs["quicklook"], **report.for_quicklook)
        if page:
            from panflow.scene.page import write

            write(report, given.pan, given.ms, outputs["page"])
        if stac_file:
            catalog.write_item(outputs["stac"], path_of(out), taken, report.as_dict(), given.tags)
    show(report, as_json, quiet)
