"""Names are files: `names(kind)` lists a folder, `get(kind, name)` imports one file of it.

No decorators and no list to keep: `methods/gsa.py` is the method `gsa`. Listing imports nothing.
"""

import difflib
import importlib
from functools import cache
from pathlib import Path
from types import ModuleType

from panflow.errors import UnknownName

ROOT = Path(__file__).parent
KINDS = {  # kind -> (folder, suffix)
    "methods": ("methods", ".py"),
    "networks": ("networks", ".py"),
    "indices": ("indices", ".py"),
    "objectives": ("objectives", ".py"),
    "transforms": ("transforms", ".py"),
    "data": ("data", ".py"),
    "sensors": ("sensors", ".toml"),
    "runtimes": ("learned/runtime", ".py"),
    "recipes": ("training/recipes", ".toml"),
    "models": ("weights", ".safetensors"),
    "plans": ("bench/plans", ".toml"),
}


@cache
def names(kind: str) -> tuple[str, ...]:
    """The names of a kind, sorted: files of its folder that do not start with an underscore."""
    if kind not in KINDS:
        raise UnknownName(f"no kind {kind!r}: expected one of {', '.join(sorted(KINDS))}")
    folder, suffix = KINDS[kind]
    files = (ROOT / folder).glob(f"*{suffix}")
    return tuple(sorted(path.name.removesuffix(suffix) for path in files if not path.name.startswith("_")))


def closest(what: str, name: str, allowed: tuple[str, ...]) -> str:
    """`name` itself where it is allowed, else an error that names the nearest."""
    if name in allowed:
        return name
    near = difflib.get_close_matches(name, allowed, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(allowed)}"
    raise UnknownName(f"no {what} {name!r}: {hint}")


def check(kind: str, name: str) -> str:
    """`name` itself where it is a name of the kind, else an error that names the nearest."""
    return closest(kind.removesuffix("s"), name, names(kind))


def get(kind: str, name: str) -> ModuleType:
    """The module of a name; only this one is imported."""
    folder, _ = KINDS[kind]
    return importlib.import_module(f"panflow.{folder.replace('/', '.')}.{check(kind, name)}")


def path(kind: str, name: str) -> Path:
    """The file of a name, of one with an underscore too. Raises UnknownName where there is none."""
    folder, suffix = KINDS[kind]
    file = ROOT / folder / (name + suffix)
    if not file.is_file():
        check(kind, name)
    return file
