"""The reference, made from the code: `<!-- made of code: NAME -->` in a page is replaced by what the function NAME of
this file gives, in Markdown."""

import dataclasses
import importlib
import inspect
import re
import tomllib
from collections.abc import Callable, Iterable
from typing import Any, get_type_hints

import panflow
from panflow import cli, errors, registry, sensors

MARK = re.compile(r"^<!-- made of code: (\w+) -->$", re.M)
TYPES = ("Pair", "Sensor", "Band", "Sharpener", "Network", "Transform", "Objective")


def filled(text: str) -> str:
    """A page with its marks replaced."""
    return MARK.sub(lambda match: globals()[match[1]](), text)


def table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Of Markdown; columns in which no row has anything are left out."""
    lines = [[" ".join(str(cell).split()).replace("|", r"\|") for cell in row] for row in (head, *rows)]
    kept = [k for k in range(len(lines[0])) if any(row[k] for row in lines[1:])]
    written = ["| " + " | ".join(row[k] for k in kept) + " |" for row in lines]
    return "\n".join([written[0], "|" + "---|" * len(kept), *written[1:]])


def code(value: Any) -> str:
    """As code in Markdown; nothing of nothing."""
    return f"`{value}`" if str(value) else ""


def listed(values: Iterable[Any]) -> str:
    return ", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values)


def escaped(text: str) -> str:
    """Prose of a docstring as Markdown, outside of code."""
    parts = re.split(r"(``[^`]+``|`[^`]+`)", text)
    return "".join(p.replace("``", "`") if p[:1] == "`" else re.sub(r"([<>*_$])", r"\\\1", p) for p in parts)


def described(text: str, names: Iterable[str]) -> tuple[str, dict[str, str]]:
    """The prose before the first `name: what it is`, and of each name what it is."""
    name = rf"(?:{'|'.join(sorted(map(re.escape, names), key=len, reverse=True))})"
    marks = list(re.finditer(rf"(?<![\w.`])({name}(?: \([^()]*\))?(?:(?:, | and ){name})*): ", text))
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    about: dict[str, str] = {}
    for mark, end in zip(marks, ends):
        what = text[mark.end() : end].strip().rstrip(";.").strip()
        about |= dict.fromkeys(re.findall(rf"\b{name}\b", mark[1]), what)
    return (text[: marks[0].start()] if marks else text).strip(), about


def fields(kind: type, title: str = "", level: str = "##") -> str:
    """The fields of a dataclass: type, default, and what its docstring says of each."""
    prose, about = described(inspect.cleandoc(kind.__doc__ or ""), [f.name for f in dataclasses.fields(kind)])
    hints = get_type_hints(kind)
    rows = []
    for field in dataclasses.fields(kind):
        default = field.default if field.default is not dataclasses.MISSING else ""
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        plain = default == "" or dataclasses.is_dataclass(default)
        said = "required" if required(field) else "" if plain else code(repr(default))
        rows.append((code(field.name), code(type_name(hints[field.name])), said, escaped(about.get(field.name, ""))))
    heading = f"{level} {title}\n\n" if title else ""
    return f"{heading}{escaped(prose)}\n\n" + table(("key", "type", "default", "what"), rows)


def required(field: dataclasses.Field) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def type_name(hint: Any) -> str:
    if isinstance(hint, type) and not hasattr(hint, "__args__"):
        return hint.__name__
    return re.sub(r"(\w+\.)+", "", str(hint))


def prose(thing: Any) -> str:
    return escaped(inspect.cleandoc(thing.__doc__ or ""))


def signature(name: str, thing: Callable) -> str:
    """One argument a line where it is long."""
    whole = inspect.signature(thing)
    text = f"{name}{whole}"
    if len(text) > 100:
        bare = whole.replace(return_annotation=inspect.Signature.empty)
        named = [p for p in whole.parameters.values() if p.kind is p.KEYWORD_ONLY]
        others = [p for p in whole.parameters.values() if p.kind is not p.KEYWORD_ONLY]
        star = ["*"] if named and not any(p.kind is p.VAR_POSITIONAL for p in others) else []
        lines = [f"    {one}," for one in (*map(str, others), *star, *map(str, named))]
        text = "\n".join([f"{name}(", *lines, f"){str(whole).removeprefix(str(bare))}"])
    return f"```python\n{text}\n```"


# What pages ask for


def api() -> str:
    """The public functions and classes of panflow."""
    parts = []
    for name in panflow.__all__[1:]:
        thing = getattr(panflow, name)
        heading = f"## panflow.{name}"
        parts += [fields(thing, heading[3:]) if dataclasses.is_dataclass(thing) else _callable(heading, name, thing)]
    return "\n\n".join(parts)


def _callable(heading: str, name: str, thing: Callable) -> str:
    return f"{heading}\n\n{signature(f'panflow.{name}', thing)}\n\n{prose(thing)}"


def xarray() -> str:
    module = importlib.import_module("panflow.xarray")
    things = [(n, t) for n, t in vars(module).items() if not n.startswith("_") and inspect.isfunction(t)]
    own = [(name, thing) for name, thing in things if thing.__module__ == module.__name__ and thing.__doc__]
    return "\n\n".join(f"### {n}\n\n{signature(f'panflow.xarray.{n}', t)}\n\n{prose(t)}" for n, t in own)


def types() -> str:
    module = importlib.import_module("panflow.types")
    parts = []
    for name in TYPES:
        thing = getattr(module, name)
        parts += [fields(thing, name) if dataclasses.is_dataclass(thing) else f"## {name}\n\n{prose(thing)}"]
    return "\n\n".join(parts)


def names() -> str:
    """Of every kind in the registry: the names, and the first line of what they are."""
    parts = []
    for kind in registry.KINDS:
        parts += [f"**{kind}**: " + ", ".join(code(name) for name in registry.names(kind))]
    return "\n\n".join(parts)


def all_sensors() -> str:
    """Every sensor: band edges, MTF, whatever else its file says of bands, and where that is from."""
    parts = []
    for name in registry.names("sensors"):
        facts = tomllib.loads(registry.path("sensors", name).read_text(encoding="utf-8"))
        bands = [*facts["bands"], *([{"name": "PAN"} | facts["pan"]] if "pan" in facts else [])]
        keys = dict.fromkeys(key for band in bands for key in band)
        rows = [[_cell(band.get(key, "")) for key in keys] for band in bands]
        haze = sensors.load(name).haze
        said = [f"Ratio {facts['ratio']:g}, {facts['bits']} bits."]
        if products := facts.get("products"):
            said += ["Products with fewer bands: " + "; ".join(listed(bands) for bands in products) + "."]
        if haze:
            said += [f"Haze factors of its bands [lolli2017]: {listed(haze)}."]
        heads = {"nm": "edges, nm", "mtf": "MTF gain at the Nyquist frequency", "name": "band"}
        parts += [
            f"## {facts['title']}\n\n`--sensor {name}`. {' '.join(said)}\n\n"
            + table([heads.get(key, key) for key in keys], rows)
            + f"\n\nSource: {escaped(facts['source'])}."
        ]
    return "\n\n".join(parts)


def _cell(value: Any) -> str:
    return " to ".join(f"{one:g}" for one in value) if isinstance(value, list) and len(value) == 2 else str(value)


def models() -> str:
    """Cards of the bundled models, and every image that they were trained on."""
    from panflow.learned.card import card

    parts = []
    for name in registry.names("models"):
        properties = card(name)["properties"]
        rows = [
            (code(s["folder"]), escaped(s["licence"]), escaped(s["credit"])) for s in properties["panflow:training"]
        ]
        parts += [
            f"## {name}\n\n{escaped(properties['title'])}. Network `{properties['mlm:architecture']}`, "
            f"{properties['mlm:total_parameters']:,} weights. Licence of the weights: {properties['license']}.\n\n"
            + table(("images", "licence", "credit"), rows)
        ]
    return "\n\n".join(parts)


def report() -> str:
    from panflow.ops.agreement import Agreement
    from panflow.scene.report import Report

    return fields(Report) + "\n\n" + fields(Agreement, "agreement")


def exit_codes() -> str:
    """From the docstring of `panflow.cli`, and the errors that have them."""
    text = " ".join((cli.__doc__ or "").split())
    codes = re.findall(r"(?:codes: |; )(\d+) ([^;]+?)(?=;|\.$|\. )", text)
    kinds = [k for k in vars(errors).values() if inspect.isclass(k) and issubclass(k, errors.PanflowError)]
    rows = [(n, what, ", ".join(code(k.__name__) for k in kinds if str(k.exit_code) == n)) for n, what in codes]
    said = [(code(k.__name__), listed(code(b.__name__) for b in k.__mro__[1:-1]), prose(k)) for k in kinds]
    return (
        table(("code", "what it says", "errors in Python"), rows)
        + "\n\n## Errors in Python\n\n"
        + table(("error", "is also", "when"), said)
    )


def recipe_keys() -> str:
    from panflow.training import recipe

    parts = [fields(recipe.Recipe, "At the top", "###")]
    parts += [fields(kind, title, "###") for title, kind in _nested(recipe.Recipe)]
    for kind in ("objectives", "transforms"):
        parts += [f"### Options of {kind}", _options(kind)]
    return "\n\n".join(parts)


def _nested(kind: type, path: str = "") -> list[tuple[str, type]]:
    """(section, dataclass) of what a settings' dataclass holds, however deep."""
    sections = []
    for name, hint in get_type_hints(kind).items():
        for inner in (hint, *getattr(hint, "__args__", ())):
            many = inner is not hint
            if inspect.isclass(inner) and dataclasses.is_dataclass(inner):
                title = f"[[{path}{name}]]" if many else f"[{path}{name}]"
                sections += [(title, inner), *_nested(inner, f"{path}{name}.")]
    return sections


def _options(kind: str) -> str:
    """Names of a kind, with the arguments that a recipe may give."""
    rows = []
    for name in registry.names(kind):
        module = registry.get(kind, name)
        options = getattr(module, "Options", None)
        if options is not None:
            given = {f.name: f.default for f in dataclasses.fields(options)}
        else:
            made = getattr(module, kind.title().removesuffix("s"))
            arguments = inspect.signature(made).parameters
            given = {n: p.default for n, p in arguments.items() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
        empty = (dataclasses.MISSING, inspect.Parameter.empty)
        said = [code(n if default in empty else f"{n} = {default!r}") for n, default in given.items()]
        first = (inspect.getdoc(module) or "").partition("\n")[0]
        rows.append((code(name), escaped(first), ", ".join(said)))
    return table(("name", "what", "options"), rows)


def plan_keys() -> str:
    from panflow.bench import plan

    return "\n\n".join([fields(plan.Plan, "At the top", "###")] + [fields(k, t, "###") for t, k in _nested(plan.Plan)])
