"""`panflow names [KIND] [-v]`."""

import click

from panflow import registry


@click.command("names", short_help="List methods, networks, indices, sensors, models, recipes ...")
@click.argument("kind", required=False, metavar="[KIND]")
@click.option("--verbose", "-v", is_flag=True, help="What each one is.")
def command(kind: str | None, verbose: bool) -> None:
    """List the names of a kind, or of all kinds."""
    for each in [kind] if kind else registry.KINDS:
        names = registry.names(each)
        if not kind:
            click.echo(f"{each}: {', '.join(names) or '-'}")
        elif not verbose:
            click.echo("\n".join(names))
        else:
            rows = [_about(each, name) for name in names]
            widths = [max(map(len, column)) for column in zip(*rows)] if rows else []
            for row in rows:
                click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def _about(kind: str, name: str) -> list[str]:
    """The cells of a name's row."""
    if kind == "methods":
        method = registry.get(kind, name).Method
        return [name, method.family, method.summary, f"[{method.citation}]"]
    if kind == "sensors":
        from panflow.sensors import load

        sensor = load(name)
        return [name, sensor.title, f"ratio {sensor.ratio:g}", ", ".join(band.name for band in sensor.bands)]
    if kind == "networks":
        return [name, *_cost(name)]
    if kind == "recipes":
        from panflow.training import recipe

        return [name, recipe.load(name).title]
    if kind in ("indices", "objectives", "transforms", "data"):
        text = (registry.get(kind, name).__doc__ or "").strip().splitlines()
        return [name, text[0] if text else ""]
    return [name]


def _cost(name: str) -> list[str]:
    """Parameters and multiply-adds for 4 and 8 bands (256 x 256 PAN pixels), reach, paper."""
    from panflow.learned.cost import cost, paper

    four, eight = (cost(name, bands) for bands in (4, 8))
    reach = "global" if four.halo is None else f"local, halo {four.halo}"
    parameters = f"{four.parameters:,} / {eight.parameters:,} parameters"
    return [parameters, f"{four.multiply:.3g} / {eight.multiply:.3g} GMAC", reach, f"[{paper(name)}]"]
