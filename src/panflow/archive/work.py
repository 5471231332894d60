"""What a worker does with one row."""

from __future__ import annotations

import errno
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from panflow.archive.rows import Row
from panflow.errors import OutputExists, PanflowError, Unreachable
from panflow.ops.memory import keep_freed

KILLED = 137  # exit code of a process that was killed
INTERRUPTED = 130
BESIDE = (
    "quicklook",
    "stac",
    "datetime",
)  # options that are no matter of `sharpen_file`: what is written besides, and a date


@dataclass(frozen=True)
class Outcome:
    """Of one attempt. may_pass: whether another attempt could go better (reading and writing, memory, signals)."""

    exit_code: int
    sentence: str = ""
    seconds: float = 0.0
    may_pass: bool = False
    report: dict[str, Any] | None = None


def sharpen_row(row: Row, options: Mapping[str, Any]) -> Outcome:
    """Sharpen a scene; whatever happens comes back as an outcome.

    options: those of `sharpen_file` and of `Profile`, quicklook, stac (whether an Item is written) and datetime.
    """
    from panflow.files.output import several
    from panflow.files.scene import Scene
    from panflow.files.sink import Profile
    from panflow.scene.sharpen import sharpen_file

    keep_freed()
    warnings.filterwarnings("ignore", message="Dataset has no geo|The given matrix is eq")  # a note says it
    started = time.perf_counter()

    def since() -> float:
        return round(time.perf_counter() - started, 3)

    try:
        values = dict(options)
        quicklook, with_item, when = (values.pop(name, None) for name in BESIDE)
        profile = Profile(**{f.name: values.pop(f.name) for f in fields(Profile) if f.name in values})
        row.out.parent.mkdir(parents=True, exist_ok=True)
        values = {"bands": row.bands, "tags": row.tags, "profile": profile, **values}
        if with_item:
            from panflow.scene import catalog

            taken = catalog.acquisition(Scene.of(row.pan, row.ms, tags=row.tags), when)
        item = row.out.with_suffix(".json") if with_item else None
        names = [name for name in (row.out, quicklook, item) if name]
        inputs = Scene.of(row.pan, row.ms).files
        with several(names, inputs=inputs, overwrite=values.pop("overwrite", False)) as outputs:
            report = sharpen_file(row.pan, row.ms, outputs[0], **values)
            if quicklook:
                from panflow.scene.quicklook import quicklook_file

                quicklook_file(row.out, row.pan, row.ms, outputs[1], **report.for_quicklook)
            if with_item:
                catalog.write_item(outputs[-1], row.out, taken, report.as_dict(), row.tags)
    except KeyboardInterrupt:
        return Outcome(INTERRUPTED, "interrupted", since(), may_pass=True)
    except PanflowError as error:
        return Outcome(error.exit_code, str(error), since(), _may_pass(error))
    except Exception as error:
        return Outcome(1, f"unexpected {type(error).__name__}: {error}", since(), _may_pass(error))
    return Outcome(0, "", since(), report=report.as_dict())


def _may_pass(error: Exception) -> bool:
    """Whether the world may have been in the way, not the input."""
    if isinstance(error, Unreachable):
        return True
    if isinstance(error, OutputExists) or (isinstance(error, OSError) and error.errno == errno.ENOENT):
        return False
    return isinstance(error, (OSError, MemoryError)) and not (isinstance(error, PanflowError) and error.exit_code == 3)
