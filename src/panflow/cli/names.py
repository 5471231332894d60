"""`panflow names [KIND] [-v | --json | --stac]`."""

import ast
import json
from typing import Any

import click

from panflow import __version__, registry


@click.command("names", short_help="List methods, networks, indices, sensors, models, recipes ...")
@click.argument("kind", required=False, metavar="[KIND]")
@click.option("--verbose", "-v", is_flag=True, help="What each one is.")
@click.option("--json", "as_json", is_flag=True, help="Print names, and what each one is, as one JSON object.")
@click.option("--stac", is_flag=True, help="Print the cards of the bundled models, an ItemCollection of STAC (MLM).")
def command(kind: str | None, verbose: bool, as_json: bool, stac: bool) -> None:
    """List the names of a kind, or of all kinds."""
    if stac:
        if kind != "models":
            raise click.UsageError("--stac is of models: panflow names models --stac")
        from panflow.files.stac import collection
        from panflow.learned.card import card

        click.echo(json.dumps(collection([card(name) for name in registry.names("models")]), indent=1))
        return
    if as_json:
        from panflow.scene.report import plain

        click.echo(json.dumps(plain(_listed(kind))))
        return
    for each in [kind] if kind else registry.KINDS:
        names = registry.names(each)
        if not kind:
            click.echo(f"{each}: {', '.join(names) or '-'}")
        elif not verbose:
            click.echo("\n".join(names))
        else:
            rows = [_row(each, name) for name in names]
            widths = [max(map(len, column)) for column in zip(*rows)] if rows else []
            for row in rows:
                click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def _listed(kind: str | None) -> dict[str, Any]:
    """For programs: version, protocol, the default model, and lists of what each name of the kinds is.

    What networks cost takes seconds to work out, so it is there only where they are asked for.
    """
    from panflow import zoo
    from panflow.cli._console import PROTOCOL

    lists = {
        each: [{"name": name} | ({} if not kind and each == "networks" else _about(each, name)) for name in names]
        for each, names in ((each, registry.names(each)) for each in ([kind] if kind else registry.KINDS))
    }
    return {"panflow": __version__, "protocol": PROTOCOL, "default": zoo.DEFAULT, **lists}


def _row(kind: str, name: str) -> list[str]:
    """The cells of a name's row."""
    about = _about(kind, name)
    if kind == "methods":
        return [name, about["family"], about["summary"], f"[{about['citation']}]"]
    if kind == "sensors":
        bands = ", ".join(band["name"] for band in about["bands"])
        return [name, about["title"], f"ratio {about['ratio']:g}", bands]
    if kind == "networks":
        four, eight = about["parameters"]
        reach = "global" if about["halo"] is None else f"local, halo {about['halo']}"
        gmac = "{:.3g} / {:.3g} GMAC".format(*about["gmac"])
        return [name, f"{four:,} / {eight:,} parameters", gmac, reach, f"[{about['citation']}]"]
    return [name, *about.values()]


def _about(kind: str, name: str) -> dict[str, Any]:
    """What a name stands for, for JSON."""
    if kind == "methods":
        method = registry.get(kind, name).Method
        return {"family": method.family, "summary": method.summary, "citation": method.citation}
    if kind == "sensors":
        from panflow.sensors import load

        sensor = load(name)
        bands = [{"name": band.name, "wavelength": band.wavelength} for band in sensor.bands]
        return {"title": sensor.title, "ratio": sensor.ratio, "bands": bands}
    if kind == "networks":
        from panflow.learned.cost import cost, paper

        four, eight = (cost(name, bands) for bands in (4, 8))  # of 256 x 256 PAN pixels
        return {
            "parameters": [four.parameters, eight.parameters],
            "gmac": [four.multiply, eight.multiply],
            "halo": four.halo,
            "citation": paper(name),
        }
    if kind == "recipes":
        from panflow.settings import read

        return {"title": read(kind, name).get("title", "")}
    if kind in ("indices", "objectives", "transforms", "data"):
        text = ast.get_docstring(ast.parse(registry.path(kind, name).read_text(encoding="utf-8"))) or ""
        return {"summary": text.partition("\n")[0]}
    return {}
