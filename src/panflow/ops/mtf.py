"""The MTF gains that a pair is computed with: estimated from the pair itself, the sensor's, as
recorded by what reduced it, or as given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import ceil, nan
from typing import TypeVar

import numpy as np

from panflow.errors import InputError
from panflow.ops.mtf_estimation import estimate_mtf
from panflow.ops.register import Registration, register
from panflow.ops.window import window, windows
from panflow.types import Pair, Sensor

Choice = str | float | Sequence[float]
T = TypeVar("T")
WINDOWS = 8  # of an estimate, at most
DIGITS = 3  # of a gain


@dataclass(frozen=True)
class MTF:
    """gains: of every band at the Nyquist frequency of MS; source: "estimated" from the pair, the "sensor" (its nominal
    ones), "given", "recorded" in the files by what reduced them, or "unused" (no gains); confidence: of the estimate, 0
    to 1, whether it was used or not; nan where there is none."""

    gains: tuple[float, ...]
    source: str
    confidence: float = nan

    def applied(self, sensor: Sensor) -> Sensor:
        return sensor.with_gains(self.gains) if self.gains else sensor

    def __str__(self) -> str:
        gains = [f"{gain:.2f}" for gain in self.gains]
        listed = gains[0] if len(set(gains)) == 1 else ", ".join(gains)
        sure = "" if self.confidence != self.confidence else f", confidence {self.confidence:.2f}"
        if self.source == "estimated":
            return f"{listed}, estimated from the scene{sure}"
        if self.source == "recorded":
            return f"{listed}, as recorded by degrade"
        if self.source == "given":
            return f"{listed}, as given"
        return f"{listed}, the sensor's" + (f": the scene does not tell{sure}" if sure else "")


def settled(
    mtf: Choice,
    sensor: Sensor,
    sampled: Callable[[], Iterable[Pair]],
    each: Callable = map,
    recorded: tuple[float, ...] | None = None,
    *,
    used: bool = True,
) -> MTF:
    """The gains of a scene. mtf: "auto", estimated where that is sure; "raised", so where the estimate is above the
    sensor's (then a softer MS is one of a softer truth, which is what `detail="ms"` asks for); "sensor"; or a gain,
    or one a band (a list, or text parted by commas). sampled: registered windows, which only an estimate asks for;
    recorded: gains that the pair is known to be reduced with, which need no estimate; used: whether anything computes
    with gains (`Sharpener.uses_mtf`), else there are none but those that are asked for. Raises InputError."""
    if mtf == "sensor":
        return MTF(sensor.gains, "sensor")
    if mtf not in ("auto", "raised"):
        return MTF(_numbers(mtf, len(sensor.bands)), "given")
    if not used:
        return MTF((), "unused")
    if recorded:
        return MTF(recorded, "recorded")
    estimate = estimate_mtf(sampled(), each=each)
    if estimate.confident:
        least = sensor.gains if mtf == "raised" else (0.0,) * len(sensor.gains)
        gains = tuple(max(round(gain, DIGITS), low) for gain, low in zip(estimate.gains, least))
        return MTF(gains, "estimated", estimate.confidence)
    return MTF(sensor.gains, "sensor", estimate.confidence)


def with_mtf(pair: Pair, mtf: Choice, *, used: bool = True) -> Pair:
    """The pair with the gains that are chosen (`settled`); an estimate takes MS where it is measured to lie, which
    does not change the pair's phase. A toolbox pair keeps its sensor's unless gains are given."""
    if pair.toolbox and mtf in ("auto", "raised"):
        mtf = "sensor"
    gains = settled(mtf, pair.sensor, lambda: _sampled(pair), used=used)
    return replace(pair, sensor=gains.applied(pair.sensor))


def _sampled(pair: Pair) -> list[Pair]:
    """Windows of every image of a batch, where they are measured to lie."""
    sampled = []
    for k in range(pair.ms.shape[0]):
        one = replace(pair, **{name: _member(getattr(pair, name), k) for name in IMAGES})
        pairs = [window(one, *core, 0) for core in windows(one.size, one.ms_size, one.ratio)]
        sampled += registered(pairs, register(pairs))
    return sampled


def registered(pairs: list[Pair], offset: Registration) -> list[Pair]:
    """Some of the windows, where an offset that is sure says that they lie."""
    few = some(pairs)
    return [replace(pair, phase=offset.phases(pair.phase)) for pair in few] if offset.confident else few


def some(windows: list[T]) -> list[T]:
    """Few of them, spread over all."""
    return windows[:: max(1, ceil(len(windows) / WINDOWS))]


IMAGES = ("pan", "ms", "pan_valid", "ms_valid", "reference")


def _member(image, k: int):
    return None if image is None else image[k : k + 1]


def _numbers(given: Choice, bands: int) -> tuple[float, ...]:
    """Gains as numbers, one a band."""
    try:
        values = np.atleast_1d([float(v) for v in given.split(",")] if isinstance(given, str) else given).astype(float)
    except (TypeError, ValueError):
        values = np.array([nan])
    if values.ndim != 1 or not ((values > 0) & (values < 1)).all():
        raise InputError(f"mtf {given!r} is unknown: expected auto, raised, sensor, or gains between 0 and 1")
    if len(values) not in (1, bands):
        raise InputError(f"mtf gives {len(values)} gains for {bands} bands: give one, or one a band")
    return tuple(float(v) for v in np.broadcast_to(values, bands))
