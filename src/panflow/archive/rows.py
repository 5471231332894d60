"""Which scenes a batch sharpens: the rows of a manifest, or the scenes that lie in a folder."""

from __future__ import annotations

import csv
import glob
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from panflow import __version__
from panflow.errors import InputError, MissingInput
from panflow.files import stac
from panflow.files.product import find, find_all
from panflow.files.remote import AnyPath, Remote, is_remote, joined, path_of
from panflow.files.scene import Scene

INPUTS = ("id", "pan", "ms", "scene", "out")  # columns that are no options
NO_MATTER = ("jobs", "max_memory", "overwrite", "resume")  # options that leave the result as it is


@dataclass(frozen=True)
class Row:
    """One scene of a batch. pan, ms: as `sharpen_file` takes them; out: the result's file; bands, tags: what the
    scene's metadata say; options: those of `panflow sharpen`, as text or as JSON gives them; error: why the row
    cannot be run, empty where it can."""

    id: str
    pan: str
    ms: tuple[str, ...]
    out: AnyPath
    bands: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""

    def digest(self, options: Mapping[str, Any]) -> str:
        """Of everything that the result depends on: panflow's version, inputs and options."""
        kept = {key: value for key, value in options.items() if key not in NO_MATTER}
        values = [__version__, self.pan, *self.ms, list(self.bands), dict(self.tags), kept]
        return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:16]


def rows(source: str, outdir: AnyPath) -> tuple[list[Row], list[str]]:
    """The rows of a manifest (.csv, .jsonl), STAC (.json), a folder or a glob, and the files that find no partner.

    Raises InputError, MissingInput.
    """
    path = path_of(source)
    if path.suffix.lower() == ".csv":
        return _checked(_of_manifest(path, _csv(path), outdir), path), []
    if path.suffix.lower() == ".jsonl":
        return _checked(_of_manifest(path, _json_lines(path), outdir), path), []
    if stac.may_be_document(path):
        return _checked(_of_stac(path, outdir), path), []
    if glob.has_magic(source) and not is_remote(source):
        return _of_glob(source, outdir)
    if path.is_dir():
        return _of_folder(path, outdir)
    if not path.exists():
        raise MissingInput(
            f"{source} does not exist: expected a manifest (.csv, .jsonl), STAC (.json), a folder or a glob of scenes"
        )
    raise InputError(f"{source} is no manifest: expected .csv or .jsonl, a folder, or a glob of scenes")


def _csv(path: AnyPath) -> Iterator[tuple[int, dict[str, Any]]]:
    with _opened(path) as file:
        reader = csv.DictReader(file)
        columns = [name.strip() for name in reader.fieldnames or ()]
        if not {"pan", "scene"} & set(columns):
            raise InputError(f"{path}: expected a first line that names the columns, with pan and ms, or scene")
        reader.fieldnames = columns
        for row in reader:
            if None in row:
                raise InputError(f"{path}, line {reader.line_num}: expected {len(columns)} columns, came more")
            values = {key: value.strip() for key, value in row.items() if value is not None and value.strip()}
            if values:
                yield reader.line_num, values


def _json_lines(path: AnyPath) -> Iterator[tuple[int, dict[str, Any]]]:
    with _opened(path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                values = json.loads(line)
            except json.JSONDecodeError as error:
                raise InputError(f"{path}, line {number}: expected one JSON object a line: {error}") from None
            if not isinstance(values, dict):
                raise InputError(f"{path}, line {number}: expected a JSON object, came {type(values).__name__}")
            yield number, {key: value for key, value in values.items() if value is not None}


def _opened(path: AnyPath) -> Any:
    if isinstance(path, Remote):
        return io.StringIO(path.read_bytes().decode("utf-8-sig", "replace"), newline="")
    try:
        return path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise MissingInput(f"{path} cannot be read: {error.strerror}") from None


def _of_manifest(path: AnyPath, lines: Iterable[tuple[int, dict[str, Any]]], outdir: AnyPath) -> Iterator[Row]:
    """Relative paths are relative to the manifest; a relative `out` lies in the batch's folder."""
    for number, values in lines:
        options = {key: value for key, value in values.items() if key not in INPUTS}
        where = f"{path}, line {number}"
        try:
            product = _product(values, path.parent, where)
        except InputError as error:
            product, problem = Scene("", ()), str(error)
        else:
            problem = ""
        name = str(values.get("id") or Path(product.pan or str(values.get("scene", f"line-{number}"))).stem)
        yield _row(name, product, outdir, values.get("out"), options, problem)


def _product(values: Mapping[str, Any], base: AnyPath, where: str) -> Scene:
    if "scene" in values:
        if product := find(joined(base, str(values["scene"]))):
            return product
        raise InputError(f"{where}: {values['scene']} is no scene folder or metadata file that panflow knows")
    ms = values.get("ms", ())
    files = [str(m) for m in ms] if isinstance(ms, list) else [m.strip() for m in str(ms).split(";") if m.strip()]
    if not values.get("pan") or not ms:
        raise InputError(f"{where}: expected pan and ms (several files: ms1.tif;ms2.tif), or scene")
    return Scene.of(_text(base, str(values["pan"])), [_text(base, m) for m in files])


def _text(base: AnyPath, path: str) -> str:
    return path if is_remote(path) else str(joined(base, path))


def _of_stac(path: AnyPath, outdir: AnyPath) -> Iterator[Row]:
    for place, item in stac.items(path):
        name = str(item.get("id") or "item")
        try:
            yield _row(name, stac.scene_of(place, item), outdir, None, {})
        except InputError as error:
            yield _row(name, Scene("", ()), outdir, None, {}, str(error))


def _of_folder(folder: AnyPath, outdir: AnyPath) -> tuple[list[Row], list[str]]:
    products, alone = find_all(folder)
    if not products:
        raise InputError(
            f"{folder} holds no scene that panflow knows" + (f"; alone: {', '.join(alone[:5])}" * bool(alone))
        )
    count = Counter(path_of(p.pan).parent for p in products)
    found = []
    for product in products:
        pan = path_of(product.pan)
        single = count[pan.parent] == 1 and pan.parent != folder
        name = "_".join((pan.parent if single else pan.with_suffix("")).relative_to(folder).parts)
        found.append(_row(name, product, outdir, None, {}))
    return _checked(found, folder), alone


def _of_glob(pattern: str, outdir: AnyPath) -> tuple[list[Row], list[str]]:
    """Scenes of the folders and metadata files that a pattern names; plain images are paired by their names."""
    matches = sorted(glob.glob(pattern, recursive=True))
    found, alone = [], []
    for path in matches:
        try:
            product = find(path)
        except InputError:
            product = None
        if product is None:
            alone.append(path)
        else:
            found.append(_row(Path(path).stem, product, outdir, None, {}))
    if not found:
        raise InputError(f"{pattern} names {len(matches)} files and folders, none of them a scene that panflow knows")
    return _checked(found, pattern), alone


def _row(name: str, product: Scene, outdir: AnyPath, out: Any, options: Mapping[str, Any], error: str = "") -> Row:
    name = re.sub(r"[^\w.+-]+", "_", name)
    target = joined(outdir, str(out or f"{name}.tif"))
    return Row(name, product.pan, product.ms, target, product.bands, product.tags, options, error)


def _checked(found: Iterable[Row], where: Any) -> list[Row]:
    """The rows, whose ids and results must differ."""
    result = list(found)
    if not result:
        raise InputError(f"{where} names no scene")
    for what, values in (("id", [row.id for row in result]), ("result", [str(row.out) for row in result])):
        twice = [value for value, count in Counter(values).items() if count > 1]
        if twice:
            raise InputError(f"{where}: the {what} {twice[0]} stands for {values.count(twice[0])} scenes: name each")
    return result
