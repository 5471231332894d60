"""Settings: TOML files whose keys are the fields of frozen dataclasses; read, extended, overridden, checked."""

from __future__ import annotations

import inspect
import json
import math
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from panflow import registry
from panflow.errors import InputError, UnknownName

T = TypeVar("T")


class OutOfRange(InputError):
    """A value of the right kind that cannot be meant."""


@dataclass(frozen=True)
class Range:
    """What a number may be, ends included, or how many entries a list: a field is `Annotated[int, Range(1, 9)]`."""

    low: float
    high: float

    def check(self, value: Any, where: str) -> None:
        """InputError where a value lies outside."""
        number = len(value) if isinstance(value, (tuple, list, dict, str)) else value
        if number is None or self.low <= number <= self.high:
            return
        many = "entries" if number is not value else ""
        bounds = f"{self.low:g} to {self.high:g} {many}" if self.high < math.inf else f"at least {self.low:g} {many}"
        raise OutOfRange(f"{where} = {value!r} is out of range: expected {bounds.strip()}")


DEEPEST = 32  # files that extend each other
Natural = Annotated[int, Range(0, 10**12)]
Seed = Annotated[int, Range(0, 2**31 - 1)]
Steps = Annotated[int, Range(1, 1000)]  # of a sampler
Positive = Annotated[int, Range(1, 10**12)]
Share = Annotated[float, Range(0, 1)]
Amount = Annotated[float, Range(0, 1e12)]


def read(kind: str, name: str | Path | Sequence[str], whole: Collection[str] = ()) -> dict[str, Any]:
    """The values of a file, or of a bundled name of the kind ("recipes" or "plans").

    Several are a mix, "a+b" or a list: what b says goes over a (`merged`). A file may start from such a mix too:
    `extends` names files beside it, or bundled ones.
    """
    values: dict[str, Any] = {}
    for part in _parts(name):
        path = Path(part) if part.endswith(".toml") else registry.path(kind, part)
        values = merged(values, _file(kind, path, whole), whole)
    return values


def _parts(name: str | Path | Sequence[str]) -> list[str]:
    """The names of a mix."""
    if not isinstance(name, (str, Path)):
        if not isinstance(name, (list, tuple)) or not all(isinstance(part, str) for part in name):
            raise InputError(f"{name!r}: expected a name or a list of names")
        return list(name)
    return [str(name)] if Path(name).is_file() else str(name).split("+")


def _file(kind: str, path: Path, whole: Collection[str], after: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The values of a file with those that it extends; after: the files that led here."""
    what = kind.removesuffix("s")
    if not path.is_file():
        raise InputError(f"no {what} {path}: expected a .toml file or one of {', '.join(registry.names(kind))}")
    if len(after) > DEEPEST:
        raise InputError(f"{what} {after[0]} extends more than {DEEPEST} files, one after the other")
    if path in after:
        raise InputError(f"{what} {path} extends itself")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not TOML: {error}") from None
    except OSError as error:
        raise InputError(f"{what} {path} cannot be read: {error.strerror}") from None
    base: dict[str, Any] = {}
    for part in _parts(values.pop("extends", [])):
        beside = path.parent / f"{part.removesuffix('.toml')}.toml"
        if not beside.is_file() or beside == path:  # mine/pnn.toml may extend the bundled "pnn"
            beside = Path(part) if part.endswith(".toml") else registry.path(kind, part)
        base = merged(base, _file(kind, beside, whole, (*after, path)), whole)
    return merged(base, values, whole)


def merged(base: dict[str, Any], values: dict[str, Any], whole: Collection[str] = ()) -> dict[str, Any]:
    """Tables key by key, but for those of `whole`: with another name they start anew, as their options are others."""
    joined = dict(base)
    for key, value in values.items():
        old = base.get(key)
        if isinstance(value, dict) and isinstance(old, dict) and not (key in whole and "name" in value):
            value = merged(old, value)
        joined[key] = value
    return joined


def value_of(text: str) -> tuple[str, Any]:
    """Key and value of `key=value`, the value in TOML, else text."""
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not key or key.endswith("."):
        raise InputError(f"override {text!r}: expected section.key=value")
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value


def override(values: dict[str, Any], text: str) -> None:
    """Set the value of `section.key=value` in place."""
    key, value = value_of(text)
    *sections, last = key.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise InputError(f"override {text!r}: {section} is a value, not a table")
    values[last] = value


def typed(kind: type[T], values: dict[str, Any], what: str) -> T:
    """A dataclass of plain values; what they lack gets its default. what: they are, for messages ("recipe a.toml").

    Raises UnknownName for a key that does not exist, and names the nearest; InputError for a value of the wrong kind
    and for one that is missing.
    """
    try:
        return _typed(kind, values, "")
    except (InputError, UnknownName) as error:
        raise type(error)(f"{what}: {error}") from None


def arguments(
    function: Callable[..., Any], values: dict[str, Any], what: str, ranges: Mapping[str, Range]
) -> dict[str, Any]:
    """The arguments of a call, of the types that its parameters state and in the ranges by their names.

    Raises UnknownName for one that does not exist, and names the nearest; InputError for a value of the wrong kind, out
    of its range, or missing.
    """
    parameters = {name: p for name, p in inspect.signature(function).parameters.items() if name != "self"}
    hints = get_type_hints(function.__init__ if inspect.isclass(function) else function)
    for key in values:
        registry.closest(f"option of {what}", key, tuple(parameters))
    try:
        result = {key: _typed(hints.get(key, Any), value, key) for key, value in values.items()}
        for key, value in result.items():
            if key in ranges and value is not None:
                for each in value if isinstance(value, tuple) else (value,):
                    ranges[key].check(each, key)
    except InputError as error:
        raise type(error)(f"{what}: {error}") from None
    for key, parameter in parameters.items():
        named = parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if key not in values and named and parameter.default is parameter.empty:
            raise InputError(f"{what}: {key} is missing, and has no default")
    return result


def as_toml(values: dict[str, Any], table: str = "") -> str:
    """Plain values as TOML: keys first, then tables; lists of tables inline."""
    lines, tables = [], []
    for key, value in values.items():
        if isinstance(value, dict):
            name = f"{table}.{key}".lstrip(".")
            tables.append(f"\n[{name}]\n{as_toml(value, name)}")
        elif value is not None:
            lines.append(f"{key} = {_inline(value)}\n")
    return "".join(lines + tables)


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_inline(v)}" for k, v in value.items() if v is not None) + " }"
    if isinstance(value, list):
        inner = [_inline(v) for v in value]
        broken = any(isinstance(v, dict) for v in value)
        return "[\n" + "".join(f"  {text},\n" for text in inner) + "]" if broken else f"[{', '.join(inner)}]"
    return json.dumps(value, ensure_ascii=False)  # of text, numbers and booleans, JSON is TOML


def _typed(kind: Any, value: Any, where: str) -> Any:
    """A TOML value as a field's type has it; where: its key."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        typed_value = _typed(args[0], value, where)
        args[1].check(typed_value, where)
        return typed_value
    if is_dataclass(kind):
        return _table(kind, value, where)
    if origin is tuple and isinstance(value, (list, tuple)):
        if args[-1] is Ellipsis:
            return tuple(_typed(args[0], v, f"{where}[{i}]") for i, v in enumerate(value))
        if len(args) == len(value):
            return tuple(_typed(a, v, where) for a, v in zip(args, value))
    elif kind is tuple and isinstance(value, (list, tuple)):
        return tuple(value)
    elif kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    elif origin in (UnionType, Union):
        for option in args:
            if is_dataclass(option) and isinstance(value, dict):
                return _table(option, value, where)
            try:
                return _typed(option, value, where)
            except OutOfRange:
                raise
            except InputError:
                continue
    elif origin is dict and isinstance(value, dict):
        return {k: _typed(args[1], v, f"{where}.{k}") for k, v in value.items()}
    elif kind is Any or (
        isinstance(value, kind if origin is None else ()) and (kind is bool) == isinstance(value, bool)
    ):
        if not _finite(value):
            raise InputError(f"{where} = {value!r}: expected numbers that are finite")
        return value
    elif kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    raise InputError(f"{where} = {value!r} is of the wrong kind: expected {kind if args else kind.__name__}")


def _finite(value: Any) -> bool:
    """Whether no number in a plain value is nan or inf."""
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def _table(kind: Any, value: Any, where: str) -> Any:
    """A dataclass of a table."""
    if not isinstance(value, dict):
        raise InputError(f"{where} = {value!r} is of the wrong kind: expected a table")
    hints = get_type_hints(kind, include_extras=True)
    for key in value:
        registry.closest(f"key in {where}:" if where else "key", key, tuple(hints))
    options = {key: _typed(hints[key], v, f"{where}.{key}".strip(".")) for key, v in value.items()}
    for field in fields(kind):
        if field.name not in options and field.default is MISSING and field.default_factory is MISSING:
            raise InputError(f"{f'{where}.' if where else ''}{field.name} is missing: it has no default")
    return kind(**options)
