"""Reasons to doubt a result, which a user hears of whatever else went well."""

from __future__ import annotations

from math import isnan

from panflow.ops.register import Registration

COMMON = 0.1  # R2 of PAN on the bands below which they show no common ground; of real pairs it is 0.5 to 1
CLIPPED = 0.05  # share of the valid pixels that may be saturated


def reasons(offset: Registration, clipped: int, valid: int) -> list[str]:
    """In words; offset: with the R2 of PAN on the bands (nan where it was not measured); clipped, valid: pixels."""
    result = []
    best = offset.r2_before if isnan(offset.r2_after) else max(offset.r2_before, offset.r2_after)
    if best < COMMON or (isnan(best) and offset.windows):
        r2 = "no more than by chance" if isnan(best) else f"R2 {max(best, 0):.2f}"
        result.append(f"PAN and MS have little in common ({r2}): do they show the same place at the same time?")
    if valid and clipped > CLIPPED * valid:
        share = f"{100 * clipped / valid:.0f} % of the pixels are clipped"
        result.append(f"{share}: choose a --dtype that holds the counts, or look whether PAN and MS belong together")
    return result
