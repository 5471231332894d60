"""Counts of the result's type: rounded, saturated, and never equal to nodata where they are valid."""

from __future__ import annotations

import numpy as np

from panflow.errors import InputError
from panflow.ops.resample import STRIP, loops


def nodata_in(kind: np.dtype, value: float | None, holes: bool) -> float | None:
    """The nodata value of the result: that of MS where the result's type can hold it; NaN for floats with holes."""
    if kind.kind == "f":
        held = value is not None and not abs(value) > float(np.finfo(kind).max)
        return value if held else (float("nan") if holes else None)
    if value is None or not np.isfinite(value) or value != int(value):
        return None
    info = np.iinfo(kind)
    return value if info.min <= value <= info.max else None


def counts(image: np.ndarray, valid: np.ndarray | None, kind: np.dtype, nodata: float | None) -> tuple[np.ndarray, int]:
    """An image [C, H, W] rounded and saturated to the result's type, and how many valid pixels were clipped.

    valid [H, W] (None: everywhere): pixels beside it get `nodata` (None: 0), those in it never equal it. Raises
    InputError where a valid pixel is no number: the arithmetic of a method has failed there.
    """
    image = _finite(image, valid)
    if kind.kind == "f":
        result, clipped = image.astype(kind), 0
        hole = kind.type(0 if nodata is None else nodata)
        if nodata is not None:
            gap = max(abs(hole) * kind.type(1e-6), np.finfo(kind).tiny)  # GDAL takes neighbouring floats for equal
            np.putmask(result, np.abs(result - hole) < gap, hole + gap if hole <= 0 else hole - gap)
    else:
        result, clipped = np.empty(image.shape, kind), 0
        if loops() and kind.kind == "u" and kind.itemsize <= 2 and image.dtype == np.float32 and valid is None:
            clipped = loops().rounded(np.ascontiguousarray(image), np.float32(np.iinfo(kind).max), result)
        else:
            for top in range(0, image.shape[1], STRIP):
                rows = slice(top, top + STRIP)
                clipped += _round(image[:, rows], None if valid is None else valid[rows], result[:, rows])
        hole = 0 if nodata is None else nodata
        if nodata is not None:
            other = nodata + 1 if nodata < np.iinfo(kind).max else nodata - 1
            np.putmask(result, result == kind.type(nodata), kind.type(other))
    if valid is not None:
        result[:, ~valid] = kind.type(hole)
    return result, clipped


def _finite(image: np.ndarray, valid: np.ndarray | None) -> np.ndarray:
    """The image, with 0 for what is no number beside the valid pixels."""
    if np.isfinite(image.min()) and np.isfinite(image.max()):
        return image
    bad = ~np.isfinite(image).all(axis=0)
    count = int((bad if valid is None else bad & valid).sum())
    if count:
        raise InputError(
            f"{count} pixels of a block of the result are not finite although PAN and MS are valid there: are there "
            "values out of all proportion in the inputs (--nodata VALUE names one that means nothing)?"
        )
    return np.nan_to_num(image, nan=0.0, posinf=0.0, neginf=0.0)


def _round(image: np.ndarray, valid: np.ndarray | None, result: np.ndarray) -> int:
    """Into `result`, of an integer type; how many valid pixels were clipped."""
    info = np.iinfo(result.dtype)
    if result.itemsize > 2:  # the limits are no float32 numbers, and a saturated value would wrap around in the cast
        image = image.astype(np.float64)
    rounded = np.rint(image)
    low, high, outside = rounded.min(), rounded.max(), 0
    if not (low >= info.min and high <= info.max):
        beyond = ~((rounded >= info.min) & (rounded <= info.max)).all(axis=0)
        outside = int((beyond if valid is None else beyond & valid).sum())
        np.clip(rounded, info.min, info.max, out=rounded)
    result[:] = rounded
    return outside
