"""What analysts lean on, measured of a result while it is computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import PurePath

import numpy as np

from panflow.files.output import Output
from panflow.files.units import Units
from panflow.ops import consistency
from panflow.ops.window import grown, window
from panflow.scene.engine import Tile


@dataclass(frozen=True)
class Analysis:
    """Files beside a result, on its grid. flags: a bit mask in uint8 (`scene.flags.BITS`), whose band's tags say what
    each bit means."""

    flags: str | PurePath | Output | None = None


Counts = Callable[[np.ndarray, np.ndarray | None], tuple[np.ndarray, int]]


def lacking(tile: Tile, counts: Counts, units: Units | None) -> np.ndarray:
    """What a tile's pixels lack of MS as they are written, as `consistency.lacking` sums it, in counts; counts: makes
    these of an image and where it is valid; units: that are computed in."""
    core = tile.pair.core
    assert core is not None, "tiles have cores"
    outer = grown(core, consistency.MARGIN, tile.pair.size)
    pair = window(replace(tile.pair, toolbox=False), *core, consistency.MARGIN)
    image = tile.fused[0, :, outer[0] : outer[1], outer[2] : outer[3]]
    written = counts(image, None if pair.pan_valid is None else pair.pan_valid[0, 0])[0]
    computed = written.astype(np.float64)
    sums = consistency.lacking((units.physical(computed) if units else computed)[None], pair)
    if units:
        scales = np.abs(units.scales)
        sums[1:] /= scales**2, scales
    return sums


class Lacks:
    """What all pixels lack of MS, by band."""

    def __init__(self, bands: int):
        self.sums = np.zeros((3, bands))

    def add(self, sums: np.ndarray | None) -> None:
        if sums is not None:
            self.sums[:2] += sums[:2]
            self.sums[2] = np.maximum(self.sums[2], sums[2])

    @property
    def bounds(self) -> dict[str, list[float]]:
        """Of "rms" and "max" by band; empty where no MS pixel is determined."""
        count, squares, largest = self.sums
        if not count.all():
            return {}
        return {"rms": np.sqrt(squares / count).tolist(), "max": largest.tolist()}
