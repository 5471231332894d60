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


def acquisition(scene: Scene, given: str | None) -> dict[str, str]:
    """When a scene was taken (`stac.moment`), and by which satellite where its metadata say it, before any work."""
    source = Source(scene)
    source.close()
    tags = {**source.tags, **scene.tags}
    satellite = stac.platform(tags)
    return {"datetime": stac.moment(given, tags), **({"platform": satellite} if satellite else {})}


def write_item(
    output: Output, out: AnyPath, acquisition: Mapping[str, str], report: Mapping[str, Any], tags: Mapping[str, str]
) -> None:
    """The Item of a result; arguments as of `stac.item_of`."""
    item = stac.item_of(out, path_of(output.out), acquisition, report, tags)
    output.write(json.dumps(item, indent=1, allow_nan=False) + "\n")
