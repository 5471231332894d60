"""Options that commands share."""

from collections.abc import Callable
from math import inf
from typing import Any, TypeVar

import click

from panflow.errors import InputError
from panflow.files.remote import AnyPath, path_of

F = TypeVar("F", bound=Callable | click.Command)


class PathType(click.ParamType):
    """A file or folder, here or remote."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> AnyPath:
        return path_of(value)


PATH = PathType()


def names(_ctx: click.Context, _option: click.Parameter, text: str | None) -> tuple[str, ...]:
    """Of an option's NAME,...: the names."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


SCENE = (
    click.option("--sensor", default="auto", show_default=True, help="A name of `panflow names sensors`, or auto."),
    click.option(
        "--bands",
        metavar="NAME,...",
        callback=names,
        help="Band names where files lack them, e.g. red,green,blue,nir.",
    ),
    click.option(
        "--register",
        default="auto",
        show_default=True,
        metavar="auto[:PIXELS]|global|local|off|DY,DX",
        help="The offset of MS in PAN pixels: measured (within 16, or as many as said), by place where that pays, "
        "one for the scene, or by place wherever it is seen; as georeferenced; or as given (rows, columns).",
    ),
    click.option(
        "--mtf",
        default="auto",
        show_default=True,
        metavar="auto|sensor|GAIN[,GAIN...]",
        help="MTF gains of the bands at MS's Nyquist frequency: recorded by degrade or estimated from the scene, the "
        "sensor's, or as given.",
    ),
    click.option("--nodata", type=float, help="A value that counts as nodata, besides what the files declare."),
)


def scene(command: F) -> F:
    """--sensor, --bands, --register, --mtf and --nodata: what is said of the files of PAN and MS."""
    for option in reversed(SCENE):
        command = option(command)
    return command


progress = click.option(
    "--progress",
    type=click.Choice(("bar", "json", "none")),
    default="bar",
    show_default=True,
    help="On stderr: a bar for people, lines of JSON for programs (docs/use/programs.md), or nothing.",
)


arithmetic = click.option(
    "--arithmetic",
    type=click.Choice(("standard", "toolbox")),
    default="standard",
    show_default=True,
    help="toolbox: to the digit as the field's MATLAB toolbox computes, artefacts included.",
)


def mib(size: str | None) -> float | None:
    """MiB of "512", "512MiB", "2GB" ..."""
    if size is None:
        return None
    text = size.strip().lower().removesuffix("b").removesuffix("i")
    factor = {"k": 1 / 1024, "m": 1, "g": 1024}.get(text[-1:])
    try:
        value = float(text[:-1] if factor else text) * (factor or 1)
    except ValueError:
        raise InputError(f"--max-memory {size!r} is no size: expected a number of MiB, or e.g. 2GiB") from None
    if not 0 < value < inf:
        raise InputError(f"--max-memory {size!r}: expected a number of MiB that is more than nothing, and finite")
    return value
