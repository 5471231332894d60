"""`panflow compare PAN MS [MS ...] --methods a,b,c`, or `panflow compare SCENE`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from panflow.cli._options import PATH, names, progress, scene

if TYPE_CHECKING:
    from panflow.cli._table import Table
    from panflow.scene.compare import Comparison


@click.command("compare", short_help="Run methods on the same crops of a scene, and say which to take.")
@click.argument("files", nargs=-1, required=True, metavar="PAN MS [MS ...] | SCENE")
@click.option(
    "--methods",
    "-m",
    metavar="NAME,...",
    callback=names,
    help="Methods, models or model files.  [default: all methods]",
)
@click.option("--crops", default=3, show_default=True, type=click.IntRange(min=1), help="From least to most textured.")
@click.option("--side", default=512, show_default=True, type=click.IntRange(min=128), help="Of a crop, in PAN pixels.")
@click.option("--out", metavar="DIR", help="A folder for contact sheets of the crops (PNG).")
@scene
@click.option("--device", default="auto", show_default=True, help="Of learned models: auto, cpu, cuda or mps.")
@click.option("--csv", "csv_file", type=PATH, help="Also write the table as CSV.")
@click.option("--overwrite", is_flag=True, help="Replace the CSV file and the sheets where they exist.")
@click.option("--markdown", is_flag=True, help="Print the table as Markdown.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as one JSON object.")
@progress
@click.option("--quiet", "-q", is_flag=True, help="No progress bar.")
def command(files, methods, bands, csv_file, overwrite, markdown, as_json, progress, quiet, **options) -> None:
    """Run methods on the least, the median and the most textured crop of a scene.

    At full resolution they are judged without reference (D_lambda_K, D_s, HQNR, D_rho), and by Wald's protocol, on
    the same crops reduced, against MS itself (SAM, ERGAS, Q2n, SCC). Values are means over the crops; the best of
    every column is marked. Below the table: what to take for the eye and for analysis, and why.
    """
    from panflow import registry
    from panflow.cli._console import progress_of
    from panflow.files.output import several
    from panflow.files.product import named
    from panflow.scene.compare import compare_files

    pair = named(files)
    tables = [csv_file] if csv_file else []
    with (
        several(tables, inputs=pair.files, overwrite=overwrite, result=True) as outputs,
        progress_of(progress, quiet or as_json) as update,
    ):
        comparison = compare_files(
            pair.pan,
            pair.ms,
            list(methods or registry.names("methods")),
            bands=bands or pair.bands,
            tags=pair.tags,
            overwrite=overwrite,
            progress=update,
            **options,
        )
        table = _table(comparison)
        for output in outputs:
            output.write(table.csv())
    if as_json:
        click.echo(json.dumps(comparison.as_dict()))
    elif markdown:
        click.echo(table.markdown())
    else:
        table.show()
    for advice in comparison.advice if not as_json else ():
        click.echo(f"\n{advice}", err=markdown)  # what is piped on is the table
    failed = [f"{score.method}: {score.failed}" for score in comparison.scores if score.failed]
    for text in [*failed, *comparison.warnings, *(f"see {path}" for path in comparison.sheets)]:
        if not as_json:
            click.echo(f"note: {text}", err=True)


def _table(comparison: Comparison) -> Table:
    from panflow.cli._table import Table
    from panflow.indices._case import shortfall
    from panflow.indices._sets import load
    from panflow.scene.compare import FULL, REDUCED

    columns = [("full", name) for name in FULL] + [("reduced", name) for name in REDUCED]
    indices = [load(name) for _, name in columns]
    rows: list[list[Any]] = [
        [
            score.method,
            *({"full": score.full, "reduced": score.reduced}[group][name] for group, name in columns),
            score.fit_seconds if score.fit_seconds > 1e-3 else None,  # many methods have nothing to fit
            score.seconds,
            score.memory,
        ]
        for score in comparison.scores
        if not score.failed
    ]
    best = set()
    goals = [*((index.better, index.ideal) for index in indices), None, ("lower", 0.0), ("lower", 0.0)]
    for i, goal in enumerate(goals, 1):
        short = {r: shortfall(row[i], *goal) for r, row in enumerate(rows) if goal and row[i] is not None}
        best |= {(r, i) for r, value in short.items() if value == min(short.values())}
    return Table(["method", *(index.title for index in indices), "fit s", "s/MPix", "MiB"], rows, best)
