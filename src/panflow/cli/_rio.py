"""`rio sharpen`: `panflow sharpen` among the commands of rasterio, which imports this at each of its starts."""

from functools import wraps
from typing import Any

import click

from panflow.cli import sentence
from panflow.cli.sharpen import command
from panflow.ops.memory import keep_freed


@wraps(command.callback)  # type: ignore[arg-type]
def _reported(**options: Any) -> None:
    """The command, whose errors become what click shows."""
    keep_freed()
    try:
        command.callback(**options)  # type: ignore[misc]
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except Exception as error:
        message, code = sentence(error, ["sharpen"])
        shown = click.ClickException(message)
        shown.exit_code = code  # type: ignore[misc]
        raise shown from None


sharpen = click.Command(
    "sharpen", params=command.params, callback=_reported, help=command.help, short_help=command.short_help
)
