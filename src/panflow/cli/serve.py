"""`panflow serve PAN MS [MS ...]`, or `panflow serve SCENE`."""

from __future__ import annotations

import click

from panflow.cli._options import names, scene
from panflow.errors import InputError, needing


@click.command("serve", short_help="Look at a scene in a browser, sharpened on the fly.")
@click.argument("files", nargs=-1, required=True, metavar="PAN MS [MS ...] | SCENE")
@click.option("--method", "-m", default="gsa", show_default=True, help="That the page begins with.")
@click.option(
    "--methods", metavar="NAME,...", callback=names, help="To choose from.  [default: all that need no whole image]"
)
@scene
@click.option("--host", default="127.0.0.1", show_default=True, help="Whom the page is for: 0.0.0.0 is the network.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0: any that is free.")
@click.option("--jobs", "-j", type=click.IntRange(min=1), help="Tiles at once.  [default: all cores]")
def command(files, method, methods, bands, host, port, jobs, **options) -> None:
    """Serve a page with a map of the scene: two methods, or MS and a method, left and right of a border to be dragged.

    Tiles are also there for other maps (QGIS: an XYZ layer), as http://127.0.0.1:8080/tiles/METHOD/{z}/{x}/{y}.png. ^C
    ends it.
    """
    from dataclasses import replace

    from panflow import registry
    from panflow.files.product import named
    from panflow.ops.cores import available
    from panflow.tiles.live import live

    with needing("a map"):
        from panflow.tiles.server import Server
    given = named(list(files))
    jobs = jobs or available()
    with live(replace(given, bands=bands or given.bands, **options), jobs) as ready:
        offered = list(dict.fromkeys(["exp", method, *(methods or ready.methods)]))
        for name in offered:
            registry.closest("method", name, registry.names("methods") + registry.names("models"))
        try:
            server = Server((host, port), ready, offered, method, jobs)
        except OSError as error:
            raise InputError(f"{host}:{port} cannot be listened to ({error.strerror}): give another --port") from None
        for note in ready.notes:
            click.echo(f"note: {note}", err=True)
        click.echo(f"{server.url}  (^C ends it)")
        server.serve_forever()
