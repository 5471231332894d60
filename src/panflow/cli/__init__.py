"""The command line: one file a command, imported when it is called.

Exit codes: 0 done; 2 the command line or a name is wrong; 3 the input cannot be used; 4 the result cannot be
written; 130 interrupted; 1 anything else.
"""

import importlib
import os
import signal
import sys
import warnings
from pathlib import Path
from typing import NoReturn

import click

from panflow import __version__
from panflow.errors import PanflowError
from panflow.ops.memory import keep_freed


class Commands(click.Group):
    """The files of this folder, as commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        files = (path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))
        return sorted(name.removesuffix("_") for name in files)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(ctx):
            return None
        module = name if (Path(__file__).parent / f"{name}.py").exists() else f"{name}_"
        return importlib.import_module(f"panflow.cli.{module}").command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="panflow")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Pansharpening of satellite scenes: PAN and MS files in, a sharp georeferenced file out."""


def main() -> NoReturn:
    """Run a command; errors become a sentence on stderr and an exit code."""
    debug = "--debug" in sys.argv
    warnings.filterwarnings("ignore", message="Dataset has no geo|The given matrix is eq")  # a note says it
    signal.signal(signal.SIGTERM, _interrupt)
    keep_freed()
    try:
        cli(args=[a for a in sys.argv[1:] if a != "--debug"], standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        if debug:
            raise
        click.echo("panflow: interrupted; nothing was left half-written", err=True)
        _leave(130)
    except Exception as error:
        if debug:
            raise
        expected = isinstance(error, PanflowError)
        message = str(error) if expected else f"unexpected {type(error).__name__}: {error} (--debug shows where)"
        click.echo(f"panflow: {message}", err=True)
        sys.exit(error.exit_code if isinstance(error, PanflowError) else 1)
    sys.exit(0)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _leave(code: int) -> NoReturn:
    """Exit without waiting for threads that still compute."""
    sys.stderr.flush()
    os._exit(code)
