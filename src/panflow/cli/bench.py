"""`panflow bench PLAN --out DIR`: the papers' tables and figures."""

from pathlib import Path

import click


def _list(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    import tomllib

    from panflow import registry

    names = registry.names("plans")
    for name in names:
        title = tomllib.loads(registry.path("plans", name).read_text(encoding="utf-8"))["title"]
        click.echo(f"{name.ljust(max(map(len, names)))}  {title}")
    ctx.exit()


@click.command("bench", short_help="Compare methods on images: tables, figures, one report.")
@click.argument("plan")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of results; continued if there.")
@click.option("--data", type=click.Path(path_type=Path), help="The folder of images that the plan names.")
@click.option("--rehearse", is_flag=True, help="On small data with small budgets, to see everything once.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a key of the plan (seed=1).")
@click.option("--device", default="auto", show_default=True, help="Where networks compute: cpu, cuda, mps or auto.")
@click.option("-q", "--quiet", is_flag=True)
@click.option(
    "--list", is_flag=True, is_eager=True, expose_value=False, callback=_list, help="Print the bundled plans."
)
def command(
    plan: str, out: Path, data: Path | None, rehearse: bool, overrides: tuple[str, ...], device: str, quiet: bool
) -> None:
    """Run PLAN, a bundled name or a .toml file, into a folder: what is missing is measured, the rest is kept.

    The folder gets results.jsonl (one line a result), tables/ (Markdown, LaTeX, CSV, HTML) and report.html.
    """
    from panflow.bench.run import benchmark

    def tell(line: str) -> None:
        if not quiet:
            click.echo(line, err=True)

    click.echo(benchmark(plan, out, data=data, rehearse=rehearse, overrides=overrides, device=device, tell=tell))
