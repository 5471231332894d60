"""The offset of a scene's MS against its georeferencing: measured, and corrected as asked."""

from __future__ import annotations

from functools import partial

import numpy as np

from panflow.errors import InputError
from panflow.files.source import Source
from panflow.ops.cores import available
from panflow.ops.register import Registration, register
from panflow.ops.window import partition
from panflow.scene.blocks import overlapped, spread

WINDOWS = 8, 16  # at least, for scenes that have them, and at most: one for every million MS pixels
SIDE = 128  # MS pixels


def measure_shift(source: Source, jobs: int | None = None) -> Registration:
    """The offset of a scene's MS against its georeferencing, from windows spread over it; jobs: threads."""
    jobs = jobs or available()
    count = int(np.clip(np.prod(source.ms_size) / 1e6, *WINDOWS))
    cores = spread(partition(source.size, round(SIDE * max(source.placement.ratio))), count)
    each = partial(overlapped, jobs=jobs, flight=2 * jobs)
    return register(each(lambda core: source.read(core, 0), cores), each=each)


def correct_shift(
    source: Source, how: str | tuple[float, float], jobs: int | None = None
) -> tuple[Registration, bool, list[str]]:
    """Measure the offset and correct it as asked ("auto", "off"), or take it as given ((dy, dx) PAN pixels).

    Returns the offset, whether the source now is corrected, and the warnings. Raises InputError.
    """
    if how not in ("auto", "off"):
        try:
            dy, dx = (float(v) for v in (how.split(",") if isinstance(how, str) else how))
            if not np.isfinite([dy, dx]).all():
                raise ValueError
        except (TypeError, ValueError):
            raise InputError(f"register {how!r} is unknown: expected auto, off, or DY,DX in PAN pixels") from None
        given = Registration((dy, dx))
        source.phase = given.phases(source.phase)
        return given, True, []
    found = measure_shift(source, jobs)
    large = max(map(abs, found.shift)) > 0.5
    if how == "auto" and found.confident:
        source.phase = found.phases(source.phase)
        return found, True, []
    if how == "auto" and large:
        return found, False, ["an offset of MS was seen but not surely enough to correct it: check by eye, or set it"]
    if how == "off" and large and found.confident:
        shift = f"{found.shift[0]:+.2f}, {found.shift[1]:+.2f}"
        return found, False, [f"MS is displaced by {shift} PAN pixels and --register off leaves it so"]
    return found, False, []
