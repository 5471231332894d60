"""Pairs from a caller's arrays: shapes checked, ratio, phase and sensor settled."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from panflow import sensors
from panflow.arrays import as_float, is_torch, namespace, open_image
from panflow.errors import GeometryError, InputError
from panflow.types import YX, Array, Pair, Sensor

PHASES = ("corner", "toolbox", "centre")
ARITHMETICS = ("standard", "toolbox")


def phase_of(phase: str | float | Sequence, ratio: YX, bands: int) -> tuple[YX, ...]:
    """Every band's (row, column) phase in PAN pixels.

    phase: "corner" ((r - 1)/2, the grids share corners), "toolbox" (r/2), "centre" (0), a number, a pair
    (y, x), or one pair a band.
    """
    named = {"corner": [(r - 1) / 2 for r in ratio], "toolbox": [r / 2 for r in ratio], "centre": [0.0, 0.0]}
    if isinstance(phase, str):
        if phase not in named:
            raise InputError(f"phase {phase!r} is unknown: expected {', '.join(PHASES)}, a number or a pair (y, x)")
        y, x = named[phase]
        return ((y, x),) * bands
    try:
        values = np.asarray(phase, dtype=float)
    except (TypeError, ValueError):
        values = np.array(np.nan)
    if not np.isfinite(values).all() or (values.ndim and values.shape[-1] != 2) or values.ndim > 2:
        raise InputError(f"phase {phase!r} is not a name, a number, a pair (y, x) or a pair for each band")
    if values.ndim == 2 and len(values) != bands:
        raise InputError(f"phase gives {len(values)} pairs (y, x) for {bands} bands: expected one a band")
    return tuple((float(y), float(x)) for y, x in np.broadcast_to(values, (bands, 2)))


def ratio_of(pan: int, ms: int) -> float:
    """PAN pixels per MS pixel along an axis of so many: whole where sizes differ by less than an MS pixel from it."""
    whole = round(pan / ms)
    return float(whole) if whole >= 1 and abs(pan - whole * ms) < whole else pan / ms


def sensor_of(sensor: str | Sensor | None, bands: int) -> Sensor:
    """The sensor with as many bands as MS has; None is the generic one."""
    found = sensor if isinstance(sensor, Sensor) else sensors.load(sensor or "generic")
    return sensors.fit_bands(found, bands)


def is_toolbox(arithmetic: str) -> bool:
    """Whether a pair is computed as the field's MATLAB toolbox does. Raises InputError where the name is unknown."""
    if arithmetic not in ARITHMETICS:
        raise InputError(f"arithmetic {arithmetic!r} is unknown: expected {' or '.join(ARITHMETICS)}")
    return arithmetic == "toolbox"


def make_pair(
    pan: Any,
    ms: Any,
    sensor: str | Sensor | None = None,
    phase: Any = "corner",
    *,
    arithmetic: str = "standard",
    double: bool = True,
) -> Pair:
    """A Pair [B, ...] of arrays as callers have them, in float64 (or float32) for the computation.

    phase: where MS lies (`phase_of`); arithmetic: "standard", or "toolbox", as the field's MATLAB toolbox computes.
    NaN pixels count as nodata. Raises InputError or GeometryError where shapes do not fit.
    """
    pan, _ = open_image(pan, "pan", single_band=True)
    ms, _ = open_image(ms, "ms", single_band=False)
    if is_torch(pan) != is_torch(ms):
        raise InputError("pan and ms must be of one kind: both NumPy arrays or both torch tensors")
    if pan.shape[0] != ms.shape[0]:
        raise InputError(f"pan has a batch of {pan.shape[0]}, ms one of {ms.shape[0]}: expected the same")
    if 0 in pan.shape or 0 in ms.shape:
        raise InputError(f"pan has shape {tuple(pan.shape)} and ms {tuple(ms.shape)}: expected at least one pixel")
    ratio = ratio_of(pan.shape[-2], ms.shape[-2]), ratio_of(pan.shape[-1], ms.shape[-1])
    if min(ratio) < 1 or max(ratio) <= 1:
        raise GeometryError(
            f"pan ({pan.shape[-2]} x {pan.shape[-1]}) is not finer than ms ({ms.shape[-2]} x {ms.shape[-1]}): "
            "expected more PAN pixels than MS pixels; are the two swapped?"
        )
    bands = ms.shape[1]
    pan, ms = as_float(pan, double=double), as_float(ms, double=double)
    pair = Pair(
        pan,
        ms,
        ratio,
        phase_of(phase, ratio, bands),
        sensor_of(sensor, bands),
        toolbox=is_toolbox(arithmetic),
    )
    return with_validity(pair, _finite(pan), _finite(ms))


def _finite(image: Array) -> Array | None:
    """Where every band is a number, [B, 1, H, W]; None where all are."""
    xp = namespace(image)
    valid = xp.all(xp.isfinite(image), axis=1, keepdims=True)
    return None if bool(xp.all(valid)) else valid


def with_validity(pair: Pair, pan_valid: Array | None, ms_valid: Array | None) -> Pair:
    """The pair with its masks, nodata filled, and PAN pixels without MS under them taken out."""
    from dataclasses import replace

    from panflow.ops.fill import fill
    from panflow.ops.resample import interpolate

    if pan_valid is None and ms_valid is None:
        return pair
    if ms_valid is not None:
        xp = namespace(pair.ms)
        share = xp.astype(ms_valid, pair.ms.dtype)
        under = interpolate(share, pair.ratio, pair.common_phase, pair.size, "edge", "nearest") > 0.5
        pan_valid = under if pan_valid is None else pan_valid & under
    return replace(
        pair,
        pan=fill(pair.pan, pan_valid),
        ms=fill(pair.ms, ms_valid),
        pan_valid=pan_valid,
        ms_valid=ms_valid,
    )
