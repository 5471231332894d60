"""Rows that are fitted jointly: neighbours that are sharpened with one fit show no seams."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import fields
from hashlib import sha256
from inspect import signature
from pathlib import Path
from typing import Any

from panflow.archive.rows import NO_MATTER, Row
from panflow.archive.run import Task
from panflow.archive.work import BESIDE
from panflow.errors import InputError, PanflowError
from panflow.files import output
from panflow.files.remote import AnyPath, is_remote
from panflow.files.scene import Scene
from panflow.files.sink import Profile
from panflow.files.source import Source

FOLDER = "panflow-fits"  # in the batch's folder; a file's name has a digest of its rows and their options


def joined(
    tasks: Sequence[Task], groups: Mapping[str, str], outdir: AnyPath
) -> tuple[list[Task], dict[str, list[Task]]]:
    """The tasks with the option `fit`, and those of each file that it names. groups: by the rows' ids.

    Raises InputError where rows of a group ask for different things.
    """
    if groups and is_remote(outdir):
        raise InputError(f"{outdir} is remote: expected a folder of this machine for rows that are fitted jointly")
    members: dict[str, list[Task]] = defaultdict(list)
    for row, options in tasks:
        if row.id in groups:
            members[groups[row.id]].append((row, options))
    result, files = dict(zip((row.id for row, _ in tasks), tasks)), {}
    for name, group in members.items():
        asked = [{k: v for k, v in options.items() if k not in (*NO_MATTER, *BESIDE)} for _, options in group]
        if any(each != asked[0] for each in asked):
            raise InputError(f"the rows of the group {name} have different options: expected the same, or other groups")
        digest = sha256("".join(row.digest(asked[0]) for row, _ in group).encode()).hexdigest()[:8]
        plain = re.sub(r"[^\w.+-]+", "_", name)
        file = str(outdir / FOLDER / f"{plain}-{digest}.json")
        files[file] = group
        result |= {row.id: (row, {**options, "fit": file}) for row, options in group}
    return list(result.values()), files


def fit(file: str, group: Sequence[Task]) -> None:
    """Write the joint fit of the rows whose files can be opened, where it is not there; none without such rows."""
    if Path(file).exists():
        return
    from panflow.scene.sharpen import fit_files, sharpen_file

    options = dict(group[0][1])
    scenes = [scene for row, _ in group if not row.error and (scene := _opening(row, options))]
    if scenes:
        taken = {*signature(sharpen_file).parameters, *(f.name for f in fields(Profile)), *BESIDE}
        learned = {key: value for key, value in options.items() if key not in taken}
        text = fit_files(scenes, method=options.get("method"), **learned).text
        output.folder(Path(file).parent)
        output.write(file, text)


def _opening(row: Row, options: Mapping[str, Any]) -> Scene | None:
    """The row's scene; None where its files cannot be opened, as the row itself will say."""
    known = {f.name for f in fields(Scene)} - {"pan", "ms", "tags"}
    given = {"bands": row.bands, **{key: value for key, value in options.items() if key in known}}
    scene = Scene.of(row.pan, row.ms, tags=row.tags, **given)
    try:
        Source(scene).close()
    except PanflowError:
        return None
    return scene
