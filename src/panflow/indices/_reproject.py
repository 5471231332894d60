"""The fused image brought back to the MS grid, to be judged by MS itself [scarpa2022]."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import ceil
from typing import Any, ClassVar

import numpy as np

from panflow import registry
from panflow.arrays import namespace
from panflow.indices._case import Additive, Case, evaluate
from panflow.indices._stats import Sums, mean
from panflow.indices._windows import local_correlation
from panflow.ops.kernels import TAPS, Separable, gaussian_window_design, separate, unit_mtf
from panflow.ops.moments import ms_core
from panflow.ops.resample import by_band, decimate, precision
from panflow.types import YX, Array

HALF = 2  # half width of the windows in which the phase is looked for, MS pixels


@cache
def _mtf(gain: float, ratio: YX, tolerance: float, year: int) -> Separable:
    """The sensor's MTF filter without negative taps and with unit sum; of 2015: as it is, designed with N samples."""
    if year == 2015:
        return separate(gaussian_window_design(gain, ratio, points=TAPS), tolerance)
    return unit_mtf(gain, ratio, tolerance)


def reprojected(case: Case, phase: str = "auto", year: int = 2022) -> Case:
    """The case on the MS grid: fused seen by the MS bands, reference MS itself.

    phase: "nominal" (the pair's), "searched" (for every band the whole PAN pixel whose PAN, filtered, correlates best
    with the band), or "auto": searched, as published, under the toolbox's arithmetic, else nominal. year 2015: the
    filters of the toolbox of that year.
    """
    registry.closest("phase", phase, ("auto", "searched", "nominal"))
    if phase == "auto":
        phase = "searched" if case.pair.toolbox else "nominal"
    return case.once(("reprojected", phase, year), lambda: _reproject(case, phase, year))


@dataclass(frozen=True)
class Reprojected:
    """An index with reference, of the fused image filtered by the sensor's MTF and decimated, against MS.

    phase: "auto", "searched" (as published: the whole PAN pixel that fits best, band by band) or "nominal" (the pair's,
    one for a whole scene), see `reprojected`.
    """

    title: ClassVar[str]
    unit: ClassVar[str] = ""
    better: ClassVar[str]
    ideal: ClassVar[float]
    needs: ClassVar[str] = "pair"
    summary: ClassVar[str]
    citation: ClassVar[str] = "scarpa2022"

    phase: str = "auto"

    def plain(self) -> Additive:
        """The index that is computed at MS scale."""
        raise NotImplementedError

    def seen(self, case: Case) -> Case:
        """What it is computed of."""
        return reprojected(case, self.phase)

    def __call__(self, case: Case) -> Array:
        return evaluate(self, case)

    def parts(self, case: Case) -> tuple[Sums, ...] | None:
        return self.plain().parts(self.seen(case))

    def value(self, means: Sequence[Array], case: Case) -> Array:
        return self.plain().value(means, case)


def _reproject(case: Case, phase: str, year: int) -> Case:
    xp = namespace(case.fused)
    if phase == "nominal":
        seen = _see(case, case.fused, case.pair.phase, year)
    else:
        searched = case.once("phases", lambda: searched_phases(case))
        parts = [_see(case, case.fused[b : b + 1], phases, year) for b, phases in enumerate(searched)]
        seen = xp.concat(parts, axis=0)
    return replace(coarse_case(case), fused=seen)


def coarse_case(case: Case) -> Case:
    """MS itself as the fused image and as the reference, on its grid."""
    cell = max(1, round(case.cell / (case.ratio[0] * case.ratio[1]) ** 0.5))
    ms, core = case.pair.ms, ms_core(case.pair)
    return Case(ms, case.sensor, case.ratio, reference=ms, valid=coarse_valid(case), core=core, cell=cell)


def _see(case: Case, image: Array, phases: tuple[YX, ...], year: int = 2022) -> Array:
    """An image on the PAN grid as the MS bands see it, every band at its phase: [B, C, h, w]."""
    pair = case.pair

    def one(bands: Array, key: Any) -> Array:
        filter = _mtf(key[0], pair.ratio, precision(image), year)
        return decimate(bands, filter, pair.ratio, key[1], pair.ms_size)

    return by_band(image, list(zip(pair.sensor.gains, phases)), one)


def untouched(case: Case, see: Callable[[Array], Array]) -> Array | None:
    """Pixels behind a low-pass that only valid ones have entered, but for a thousandth; None where all are valid."""
    if case.valid is None:
        return None
    xp = namespace(case.fused)
    keep = xp.astype(case.valid, case.fused.dtype)
    return xp.all(see(keep) > 0.999 * see(xp.ones_like(keep)), axis=1, keepdims=True)


def coarse_valid(case: Case) -> Array | None:
    """The MS pixels that are valid and have only valid PAN pixels under their MTF, [B, 1, h, w]."""

    def find() -> Array | None:
        clear, there = untouched(case, lambda keep: _see(case, keep, case.pair.phase)), case.pair.ms_valid
        return there if clear is None else clear if there is None else clear & there

    return case.once("coarse valid", find)


def searched_phases(case: Case) -> list[tuple[YX, ...]]:
    """For every image and band the phase, in whole PAN pixels within half the ratio of the pair's, that fits best.

    PAN goes through the first band's filter, whatever the band, as the index's authors do.
    """
    pair = case.pair
    xp = namespace(pair.pan)
    filter = unit_mtf(pair.sensor.gains[0], pair.ratio, precision(pair.pan))
    # of grids that share corners, and of the toolbox's, these are the published 0 to ratio - 1
    rows, columns = (ceil(p - r / 2) + np.arange(max(1, round(r))) for p, r in zip(pair.common_phase, pair.ratio))
    candidates = [(float(y), float(x)) for x in columns for y in rows]
    valid, scores = coarse_valid(case), []
    for candidate in candidates:
        low = decimate(pair.pan, filter, pair.ratio, candidate, pair.ms_size)
        scores.append(mean(local_correlation(pair.ms, low, HALF, valid), valid))
    best = xp.argmax(xp.stack(scores), axis=0)  # [B, C]
    return [tuple(candidates[int(best[b, c])] for c in range(best.shape[1])) for b in range(best.shape[0])]
