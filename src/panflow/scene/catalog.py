"""STAC Items of results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from panflow.files import stac
from panflow.files.output import Output
from panflow.files.remote import AnyPath, path_of
from panflow.files.scene import Scene
from panflow.files.source import Source


def acquired(scene: Scene, given: str | None) -> str:
    """When a scene was taken (`stac.moment`), before any work on it."""
    if given or "DATETIME" in scene.tags:
        return stac.moment(given, scene.tags)
    source = Source(scene)
    source.close()
    return stac.moment(None, source.tags)


def write_item(output: Output, out: AnyPath, when: str, report: Mapping[str, Any], tags: Mapping[str, str]) -> None:
    """The Item of a result; arguments as of `stac.item_of`."""
    item = stac.item_of(out, path_of(output.out), when, report, tags)
    output.write(json.dumps(item, indent=1, allow_nan=False) + "\n")
