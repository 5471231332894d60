"""Pairs of a caller's arrays, and of any window of a scene: ratio, phase, sensor and validity settled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import ceil
from typing import Any, cast

import numpy as np

from panflow import sensors
from panflow.arrays import as_float, is_torch, namespace, open_image
from panflow.errors import GeometryError, InputError
from panflow.ops.displacement_field import DisplacementField, straightened
from panflow.ops.fill import fill
from panflow.ops.resample import REACH, interpolate
from panflow.ops.window import Core, grown, ms_window, window
from panflow.types import YX, Array, Pair, Sensor

PHASES = ("corner", "toolbox", "centre")
ARITHMETICS = ("standard", "toolbox")
BEYOND = 1.0  # MS pixels by which PAN may reach over the edge of MS and still be sharpened
Read = Callable[[Core], tuple[np.ndarray, np.ndarray | None]]


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
    loaded = sensor if isinstance(sensor, Sensor) else sensors.load(sensor or "generic")
    return sensors.fit_bands(loaded, bands)


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
    last = ratio_of(pan.shape[-2], ms.shape[-3]), ratio_of(pan.shape[-1], ms.shape[-2])
    if ratio[0] != ratio[1] and last[0] == last[1] > 1:
        raise InputError(
            f"ms has shape {tuple(ms.shape)}: its channels seem to come last; expected [C, h, w], "
            "np.moveaxis(ms, -1, -3) of it"
        )
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


def doubled(pair: Pair) -> Pair:
    """The pair in NumPy's float64."""

    def wide(image: Array | None) -> np.ndarray | None:
        return None if image is None else np.asarray(image, dtype=np.float64)

    return replace(pair, pan=wide(pair.pan), ms=wide(pair.ms), reference=wide(pair.reference))


def _finite(image: Array) -> Array | None:
    """Where every band is a number, [B, 1, H, W]; None where all are."""
    xp = namespace(image)
    valid = xp.all(xp.isfinite(image), axis=1, keepdims=True)
    return None if bool(xp.all(valid)) else valid


def with_validity(pair: Pair, pan_valid: Array | None, ms_valid: Array | None) -> Pair:
    """The pair with its masks, nodata filled, and PAN pixels without MS under them taken out."""
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


class Windows:
    """Pairs of any window of a scene; where the pixels come from (files, arrays, blocks of a store) is no matter.

    pan, ms: functions of a window (top, bottom, left, right) of their grid, which give its pixels [C, h, w] in counts,
    and where they are valid [h, w] (None: everywhere); called from any thread. size, ms_size: (rows, columns) of the
    grids; ratio, phase, sensor: as in a Pair; toolbox: whether `whole` asks for the toolbox's arithmetic.
    """

    def __init__(
        self,
        pan: Read,
        ms: Read,
        size: tuple[int, int],
        ms_size: tuple[int, int],
        ratio: YX,
        phase: tuple[YX, ...],
        sensor: Sensor,
        toolbox: bool = False,
    ):
        self._pan, self._ms = pan, ms
        self.size, self.ms_size = size, ms_size
        self.ratio, self.phase, self.sensor = ratio, phase, sensor
        self.toolbox = toolbox
        self._placed = phase[0]  # what MS covers does not change with a registration

    @classmethod
    def of(cls, pair: Pair) -> Windows:
        """Of arrays in memory, batch 1."""

        def part(image: Array, valid: Array | None) -> Read:
            def read(core: Core) -> tuple[np.ndarray, np.ndarray | None]:
                inside = (..., slice(*core[:2]), slice(*core[2:]))
                return image[0][inside], None if valid is None else valid[0, 0][inside]

            return read

        pan, ms = part(pair.pan, pair.pan_valid), part(pair.ms, pair.ms_valid)
        return cls(pan, ms, pair.size, pair.ms_size, pair.ratio, pair.phase, pair.sensor, pair.toolbox)

    @property
    def bands(self) -> int:
        return len(self.phase)

    @property
    def extent(self) -> Core:
        """All pixels of PAN."""
        return 0, self.size[0], 0, self.size[1]

    @property
    def phase(self) -> tuple[YX, ...]:
        """Every band's phase on the PAN grid, in whole 1024ths of a pixel: windows of it are then exact."""
        return self._phase

    @phase.setter
    def phase(self, phases: tuple[YX, ...]) -> None:
        self._phase = tuple((round(y * 1024) / 1024, round(x * 1024) / 1024) for y, x in phases)

    def straighten(self, field: DisplacementField) -> None:
        """From now on MS is resampled to where the offset of its phase holds everywhere."""
        self._ms = straightened(self._ms, field, self.ratio, self._placed, self.ms_size)

    def read(self, core: Core, halo: int) -> Pair:
        """The pair of a window of the PAN grid with `halo` PAN pixels around, as far as there is PAN.

        Nodata is filled from the nearest valid pixel, which is looked for as far again as the method looks: so a
        pixel of the result never depends on where windows are cut.
        """
        pair, *valid = self._raw(core, halo)
        if all(mask is None for mask in valid):
            return pair
        further = max(halo, ceil((REACH + 1) * max(self.ratio)))
        pair = with_validity(*self._raw(core, halo + further))
        return window(pair, *cast(Core, pair.core), halo)

    def whole(self, region: Core | None = None) -> Pair:
        """The pair of the whole scene, or of a region that stands for it; it alone can be computed by the toolbox's
        arithmetic."""
        return replace(self.read(region or self.extent, 0), toolbox=self.toolbox)

    def _raw(self, core: Core, halo: int) -> tuple[Pair, np.ndarray | None, np.ndarray | None]:
        """The pair as it is read, and where PAN and MS are valid, [1, 1, H, W] (None: everywhere)."""
        outer = grown(core, halo, self.size)
        part, phase = ms_window(outer, self.phase, self.ratio, self.ms_size)
        pan, pan_valid = self._pan(outer)
        ms, ms_valid = self._ms(part)
        covered = self.covered(outer)
        if covered is not None:
            pan_valid = covered if pan_valid is None else pan_valid & covered
        top, left = outer[0], outer[2]
        pair = Pair(
            pan[None],
            ms[None],
            self.ratio,
            phase,
            self.sensor,
            core=(core[0] - top, core[1] - top, core[2] - left, core[3] - left),
            origin=(top, left),
        )
        pan_valid, ms_valid = (None if v is None else v[None, None] for v in (pan_valid, ms_valid))
        return pair, pan_valid, ms_valid

    def covered(self, outer: Core) -> np.ndarray | None:
        """PAN pixels [h, w] of a window with MS under them, or less than a pixel beside it; None where all have."""
        axes = []
        for axis, (low, high) in enumerate((outer[:2], outer[2:])):
            position = (np.arange(low, high) - self._placed[axis]) / self.ratio[axis]
            axes.append((position > -0.5 - BEYOND) & (position < self.ms_size[axis] - 0.5 + BEYOND))
        if all(axis.all() for axis in axes):
            return None
        return axes[0][:, None] & axes[1][None, :]
