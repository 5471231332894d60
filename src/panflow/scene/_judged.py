"""What a fused file is judged by, laid on one grid: cases of any window of it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np

from panflow.errors import InputError
from panflow.files.image import Image
from panflow.files.source import Source
from panflow.indices._case import Case
from panflow.ops.fill import fill
from panflow.ops.window import Core, grown
from panflow.pairs import doubled, sensor_of
from panflow.types import YX, Sensor


class Judged:
    """A fused file beside PAN and MS (`source`), a reference, or both; on PAN's grid, else on that of the fused file.

    Closed by `stack`. Raises InputError, GeometryError.
    """

    def __init__(
        self,
        stack: ExitStack,
        fused: str | Path,
        source: Source | None,
        reference: str | Path | None,
        sensor: str | Sensor,
        nodata: float | None,
    ):
        self.source, self.reference = source, None
        anchor = source.grid if source else None
        self.fused = Image(str(fused), "fused", anchor, nodata)
        stack.callback(self.fused.close)
        self.grid = anchor or self.fused.grid
        if reference is not None:
            self.reference = Image(str(reference), "reference", self.grid, nodata)
            stack.callback(self.reference.close)
        bands = self.fused.bands
        for name, other in (("MS", self.source), ("reference", self.reference)):
            if other and other.bands != bands:
                raise InputError(f"fused has {bands} bands, {name} {other.bands}: expected the same; pick bands of MS")
        if self.source:
            self.sensor, ratio = self.source.sensor, self.source.ratio
        else:
            self.sensor = sensor_of(None if sensor == "auto" else sensor, bands)
            ratio = self.sensor.ratio, self.sensor.ratio
        self.ratio: YX = ratio

    @property
    def size(self) -> tuple[int, int]:
        return self.grid.size

    @property
    def paths(self) -> list[str]:
        """The files that are read."""
        images = [image.path for image in (self.fused, self.reference) if image]
        return images + (self.source.paths if self.source else [])

    @property
    def has(self) -> set[str]:
        """What of "reference" and "pair" there is."""
        return {name for name, one in (("reference", self.reference), ("pair", self.source)) if one}

    @property
    def facts(self) -> Case:
        """A case without images: what an index needs besides its means."""
        return Case(None, self.sensor, self.ratio)

    def case(self, core: Core, halo: int) -> tuple[Case, np.ndarray]:
        """The case of a window with `halo` pixels of context, in float64, and counts of the window's pixels.

        Counts: pixels that some file lacks, that the fused file lacks, and that are at a limit of its type.
        """
        outer = grown(core, halo, self.size)
        inside = slice(core[0] - outer[0], core[1] - outer[0]), slice(core[2] - outer[2], core[3] - outer[2])
        fused, fused_valid = self.fused.read(outer)
        valid, reference, pair = fused_valid, None, None
        if self.reference:
            reference, there = self.reference.read(outer)
            valid = valid & there
        if self.source:
            whole = core == (0, self.size[0], 0, self.size[1])
            pair = doubled(self.source.whole() if whole else self.source.read(core, halo))
            if pair.pan_valid is not None:
                valid = valid & pair.pan_valid[0, 0]
        at_limit = self.fused.clipped(fused) & fused_valid
        counts = np.array([(~valid)[inside].sum(), (~fused_valid)[inside].sum(), at_limit[inside].sum()])
        mask = None if valid.all() else valid[None, None]
        images = [None if x is None else fill(x[None].astype(np.float64), mask) for x in (fused, reference)]
        return Case(images[0], self.sensor, self.ratio, images[1], pair, mask, inside), counts  # type: ignore[arg-type]
