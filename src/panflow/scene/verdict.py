"""Whether a result can be trusted, in a word and with reasons, from what a run has measured anyway.

The limits were chosen on real pairs and on pairs broken on purpose: docs/evidence/verdicts.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isnan

import numpy as np

from panflow.files.source import Source
from panflow.ops.agreement import Agreement
from panflow.ops.register import Registration
from panflow.ops.window import Core
from panflow.scene.opening import Opened
from panflow.types import Sensor

WORDS = GOOD, DOUBTFUL, BAD = "good", "doubtful", "bad"
APART, LOOSE = 0.5, 0.7  # R2 of PAN's detail on the bands: below, they do not belong together; are not one in full
SMALL = 0.3  # that of the registration, which takes the best place, below which small scenes do not belong together
BENT = 0.2  # share of what the bands leave of PAN that a curve explains
LEFT = 0.02  # of PAN's variance that the bands must leave for that to matter
FINEST = 0.35  # power of MS's finest octave beside the next: less has been resampled, or blurred
REPEATED = 0.3  # share of MS pixels that are their neighbour's copy
MISPLACED = 0.13  # correlation by which a band of the infrared may look more visible than a visible one
AT_LIMIT = 0.01, 0.3  # share of saturated pixels: doubtful, bad
CLIPPED = 0.05, 0.3  # share of clipped pixels: doubtful, bad
OVERLAP = 0.25  # share of PAN that MS should cover at least
DISPLACED = 0.5  # PAN pixels
GAP = 50  # nm of PAN that no band sees, worth a word


@dataclass(frozen=True)
class Verdict:
    """word: "good", "doubtful" or "bad"; reasons: in words, the worst first."""

    word: str
    reasons: tuple[str, ...]


Reason = tuple[int, str]  # how bad, as the place in WORDS; in words


def verdict(ready: Opened, clipped: int = 0, valid: int = 0) -> Verdict:
    """Of an open scene; clipped: pixels of the result, of `valid` ones, as far as it is computed."""
    agreement, offset, source = ready.agreement, ready.offset, ready.source
    reasons = [
        *_together(agreement, offset, source.sensor),
        *_displaced(offset, ready.corrected),
        *_resampled(agreement),
        *_radiometry(agreement, source.sensor),
        *_share("of the pixels of PAN are saturated", agreement.pan_at_limit, AT_LIMIT),
        *_share("of the pixels of MS are saturated", agreement.ms_at_limit, AT_LIMIT),
        *_overlap(source, ready.part),
        *_share("of the pixels are clipped: choose a --dtype that holds them", clipped / max(valid, 1), CLIPPED),
    ]
    reasons.sort(key=lambda reason: -reason[0])
    return Verdict(WORDS[max((level for level, _ in reasons), default=0)], tuple(text for _, text in reasons))


def _together(agreement: Agreement, offset: Registration, sensor: Sensor) -> Iterator[Reason]:
    best = np.nanmax([offset.r2_before, offset.r2_after, -1])
    if isnan(agreement.detail):
        if offset.windows and best < LOOSE:
            yield (2 if best < SMALL else 1), _little(best)
        elif not offset.windows:
            yield 1, "the scene is too small or too flat to tell whether PAN and MS belong together"
    elif agreement.detail < APART:
        yield 2, _little(agreement.detail)
    elif agreement.detail < LOOSE:
        unseen = _unseen(sensor)
        why = f": PAN sees {unseen}, your bands do not" if unseen else ""
        yield 1, f"the bands explain only part of PAN (R2 {agreement.detail:.2f}){why}"


def _little(r2: float) -> str:
    share = "no more than by chance" if r2 < 0 else f"R2 {r2:.2f}"
    return f"PAN and MS have little in common ({share}): do they show the same place at the same time, undistorted?"


def _unseen(sensor: Sensor) -> str:
    """The wavelengths of PAN that lie in no band."""
    bands = sorted((b.wavelength - b.width / 2, b.wavelength + b.width / 2) for b in sensor.bands)
    if any(isnan(low) for low, _ in bands):
        return ""
    at, end = (sensor.pan.wavelength + side * sensor.pan.width / 2 for side in (-1, 1))
    gaps = []
    for low, high in [*bands, (end, end)]:
        if min(low, end) - at >= GAP:
            gaps.append(f"{at:.0f} to {min(low, end):.0f} nm")
        at = max(at, high)
    return " and ".join(gaps)


def _displaced(offset: Registration, corrected: bool) -> Iterator[Reason]:
    if not corrected and offset.windows and max(map(abs, offset.shift)) > DISPLACED:
        seen = "is displaced, and left so" if offset.confident else "may be displaced, not surely enough to correct it"
        yield 1, f"MS {seen}: by {offset.shift[0]:+.2f}, {offset.shift[1]:+.2f} PAN pixels (rows, columns)"


def _resampled(agreement: Agreement) -> Iterator[Reason]:
    if agreement.repeated > REPEATED:
        yield 1, f"{100 * agreement.repeated:.0f} % of the MS pixels are copies of their neighbours: MS was enlarged"
    elif agreement.finest < FINEST:
        yield 1, "MS has no detail as fine as its pixels: it was resampled or blurred"


def _radiometry(agreement: Agreement, sensor: Sensor) -> Iterator[Reason]:
    if agreement.bent > BENT and agreement.level < 1 - LEFT:
        yield 1, "MS or PAN is not proportional to light: it looks stretched, logarithmic or saturated"
    if agreement.misplaced > MISPLACED:
        order = ", ".join(band.name for band in sensor.bands)
        yield 1, f"an infrared band looks visible and a visible one does not: is the order of bands {order}?"


def _share(what: str, share: float, limits: tuple[float, float]) -> Iterator[Reason]:
    if share > limits[0]:
        yield (2 if share > limits[1] else 1), f"{100 * share:.0f} % {what}"


def _overlap(source: Source, part: Core) -> Iterator[Reason]:
    share = 1.0
    for axis, (low, high) in enumerate((part[:2], part[2:])):
        first = source.phase[0][axis] - source.ratio[axis] / 2
        end = first + source.ms_size[axis] * source.ratio[axis]
        share *= max(0.0, min(high, end) - max(low, first)) / (high - low)
    if share < OVERLAP:
        yield 1, f"MS covers only {100 * share:.0f} % of PAN"
