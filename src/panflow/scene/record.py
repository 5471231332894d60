"""The record of a run, kept in the result's tags: what it was computed from, how, when, and how well.

Keys have no colon, at which GDAL would part them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from panflow import __version__, registry
from panflow.files.remote import plain, sha256, size_of
from panflow.files.scene import Scene
from panflow.scene.opening import Opened
from panflow.scene.report import Report

KEPT = ("ACQUISITION", "SATELLITE", "SENSOR", "DATE", "CLOUD")  # words in keys of the inputs' tags
PASSING = ("output", "seconds", "mpix_per_second", "peak_mib")  # of a report, what says nothing of the result


def of_inputs(scene: Scene, ready: Opened, method: str, options: Mapping[str, Any], hashes: bool) -> dict[str, str]:
    """What is certain before the first pixel; hashes: also those of the input files, which are read for it."""
    source, shift = ready.source, ", ".join(f"{v:+.3f}" for v in ready.offset.shift)
    phase = [sum(axis) / len(source.phase) for axis in zip(*source.phase)]
    options = {k: Path(v).name if k == "adapter" and v else v for k, v in options.items() if k != "save_adapter"}
    asked = {"register": scene.register, "mtf": scene.mtf, "nodata": scene.nodata, "arithmetic": scene.arithmetic}
    asked["offsets"] = plain(scene.offsets).name if scene.offsets else None
    asked["units"] = "physical" if source.physical else "counts"
    tags = {
        "TIFFTAG_SOFTWARE": f"panflow {__version__}",
        "TIFFTAG_DATETIME": f"{_now():%Y:%m:%d %H:%M:%S}",
        "PANFLOW_METHOD": method,
        "PANFLOW_OPTIONS": json.dumps({k: v for k, v in {**asked, **options}.items() if v is not None}, default=str),
        "PANFLOW_SENSOR": source.sensor.name,
        "PANFLOW_INPUTS": "; ".join(plain(path).name for path in (scene.pan, *scene.ms)),
        "PANFLOW_INPUT_BYTES": "; ".join(f"{plain(f).name} {n}" for f in source.paths if (n := size_of(f)) is not None),
        "PANFLOW_PHASE": ", ".join(f"{v:.3f}" for v in phase),
        **({"PANFLOW_MTF": str(ready.mtf)} if ready.mtf.gains else {}),
        "PANFLOW_SHIFT": shift + (" corrected" if ready.corrected else " measured only"),
    }
    if model := _model(method):
        tags["PANFLOW_MODEL_SHA256"] = sha256(model)
    if hashes:
        tags["PANFLOW_INPUT_SHA256"] = "; ".join(
            f"{plain(f).name} {sha256(f)}" for f in source.paths if size_of(f) is not None
        )
    return {k: v for k, v in source.tags.items() if any(word in k.upper() for word in KEPT)} | tags


def of_result(report: Report) -> dict[str, str]:
    """What is certain at the end."""
    kept = {"PANFLOW_VERDICT": report.verdict, "PANFLOW_REASONS": "; ".join(report.reasons)}
    return kept | {"PANFLOW_REPORT": json.dumps({k: v for k, v in report.as_dict().items() if k not in PASSING})}


def _now() -> datetime:
    """The time, or what SOURCE_DATE_EPOCH says it is, for files that are to be made again with the same bytes."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    return datetime.fromtimestamp(int(given), UTC) if given.isdigit() else datetime.now(UTC)


def _model(method: str) -> Path | None:
    """The file of a learned model."""
    if method in registry.names("models"):
        return registry.path("models", method)
    return Path(method) if method.endswith(".safetensors") else None
