"""`panflow train RECIPE --out RUN`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("train", short_help="Train a network by a recipe; run again, it goes on where it stopped.")
@click.argument("recipe", required=False)
@click.option("--out", type=click.Path(path_type=Path), help="The run's folder: recipe, losses, checkpoint, model.")
@click.option("--data", type=click.Path(path_type=Path), help="The folder of images that the recipe names.")
@click.option("--set", "overrides", multiple=True, metavar="SECTION.KEY=VALUE", help="Replace a value of the recipe.")
@click.option("--list", "listed", is_flag=True, help="Name the bundled recipes.")
@click.option("--dry-run", is_flag=True, help="Print the recipe with every value that it leaves open, and stop.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option("--quiet", "-q", is_flag=True, help="No progress bar.")
def command(recipe, out, data, overrides, listed, dry_run, device, quiet) -> None:
    """Train by RECIPE, a bundled name or a TOML file, into the folder RUN.

    A+B lays recipe B over A: table4-otfm+_small is a row of OTFM's Table 4 in minutes on two cores.

    Ends with RUN/model.safetensors, which `panflow sharpen --method` takes. Several processes (started by
    `accelerate launch` or torchrun) share the work.
    """
    from panflow.errors import InputError
    from panflow.settings import as_toml
    from panflow.training import recipe as recipes

    if listed:
        titles = [(name, recipes.load(name).title) for name in recipes.names()]
        width = max(len(name) for name, _ in titles)
        click.echo("\n".join(f"{name.ljust(width)}  {title}" for name, title in titles))
        return
    if not recipe:
        raise click.UsageError("expected a RECIPE: a bundled name (--list) or a TOML file")
    settings = recipes.load(recipe, overrides, data)
    if dry_run:
        from panflow.learned.file import build

        build(settings.sections())  # names and options that do not exist are refused now
        click.echo(as_toml(settings.dump()))
        return
    if out is None:
        raise InputError("where should the run go? give --out FOLDER")
    from panflow.training.loop import train

    click.echo(train(settings, out, device=device, progress=not quiet))
