"""The command line: one file a command, imported when it is called.

Exit codes: 0 done; 2 the command line or a name is wrong; 3 the input cannot be used; 4 the result cannot be
written; 5 some scenes of a batch have failed; 6 the result would be bad and `--strict` was given; 7 there is not enough
memory; 130 interrupted; 1 anything else.
"""

import errno
import importlib
import os
import shlex
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import click

from panflow import __version__
from panflow.errors import OutOfMemory, OutputError, PanflowError, is_out_of_memory, missing_extra
from panflow.ops.memory import keep_freed

REPORT = f"This is a fault of panflow {__version__}. Please tell its maintainers, with the output of: panflow --debug"
SPARE = {  # memory, by command
    "train": "give --set data.folded or data.batch a smaller number, or data.patch a smaller size",
    "": "give --max-memory a smaller size and --jobs 1, take a classical method, or a machine with more",
}
SYSTEM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.EROFS, errno.EIO)


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
    sys.exit(run([a for a in sys.argv[1:] if a != "--debug"], "--debug" in sys.argv))


def run(arguments: list[str], debug: bool = False) -> int:
    """The exit code of a command."""
    warnings.filterwarnings("ignore", message="Dataset has no geo|The given matrix is eq")  # a note says it
    if not debug:
        os.environ.setdefault("CPL_LOG", os.devnull)  # a sentence or a note says what GDAL prints
    keep_freed()
    try:
        cli(args=arguments, standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:  # who reads the output has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return OutputError.exit_code
    except Exception as error:
        if debug:
            raise
        cause = error.__cause__ if isinstance(error, click.Abort) and error.__cause__ else error
        if isinstance(cause, KeyboardInterrupt):  # where nobody listens for signals
            click.echo("panflow: interrupted; no result was left half-written", err=True)
            return 130
        message, code = sentence(cause, arguments)
        with suppress(OSError):  # stderr may be what is broken
            click.echo(f"panflow: {message}", err=True)
        return code
    return 0


def sentence(error: BaseException, arguments: list[str]) -> tuple[str, int]:
    """What is said of an error, and the exit code."""
    if not isinstance(error, PanflowError) and is_out_of_memory(error):
        error = OutOfMemory(f"there is not enough memory: {SPARE.get(''.join(arguments[:1]), SPARE[''])}")
    error = missing_extra(error, f"panflow {arguments[0] if arguments else ''}") or error
    if isinstance(error, PanflowError):
        return str(error), error.exit_code
    if isinstance(error, OSError) and error.errno in SYSTEM:
        return f"{f'{error.filename}: ' if error.filename else ''}{error.strerror}", OutputError.exit_code
    what = " ".join(str(error).split())[:300]
    return f"unexpected {type(error).__name__}: {what}\n{REPORT} panflow {shlex.join(arguments)}", 1
