"""Weights of the bands in the intensity that component substitution takes for PAN."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from panflow.arrays import like, namespace
from panflow.errors import InputError
from panflow.methods._injection import UNFITTED, interpolation_halo, solve_nonnegative
from panflow.ops.moments import Moments, at_ms
from panflow.ops.resample import atrous, ms_aligned
from panflow.ops.spectral import pan_weights, reaches
from panflow.types import YX, Array, Pair, Sharpener

CHOICES = ("auto", "mean", "sensor", "fit")
Choice = str | Sequence[float]


def coarse(pair: Pair) -> Array:
    """The bands and the "a trous" low-pass of PAN, decimated, for moments: [B, C + 1, h, w]."""
    low = atrous(pair.pan, pair.ratio, pair.ratio, pair.common_phase, pair.ms_size)
    return namespace(low).concat([ms_aligned(pair), low], axis=1)


class Weights:
    """Gathers what the weights rest on, pair by pair, in any order and from any thread.

    choice: "mean": all equal; "sensor": by PAN's spectral response (`ops.spectral.pan_weights`); "fit": least squares
    of the low-pass PAN on the bands that PAN reaches, with a constant, none below 0; numbers, one a band, or such a
    text "W,W,..."; "auto": the sensor's where they are known, else fitted, and equal under the toolbox's arithmetic.
    Their sum is 1. chosen: "mean", "sensor", "fit" or "given". Raises InputError.
    """

    def __init__(self, choice: Choice):
        self.choice = choice
        self.chosen = ""
        self._fixed: Array = None
        self._reached = np.ones(0)

    def fixed(self, pair: Pair) -> Array | None:
        """[B, C], where they need no fit."""
        known = pan_weights(pair.sensor)
        self.chosen = self._settled(pair, known)
        if self.chosen == "fit":
            self._reached = np.array([reaches(pair.sensor.pan, band) for band in pair.sensor.bands], dtype=float)
            return None
        values = {"mean": (1.0,) * pair.bands, "sensor": known, "given": self.choice}[self.chosen]
        if values is None:
            raise InputError(
                f"weights sensor: PAN's spectral response is not known of {pair.sensor.name}, or it reaches none of "
                "the bands: name the sensor, or take fit, mean, or numbers"
            )
        if len(values) != pair.bands:
            raise InputError(f"weights: {len(values)} numbers for {pair.bands} bands: expected one a band")
        share = np.array(values, dtype=float)
        share = np.broadcast_to(share / share.sum(), (len(pair.pan), pair.bands))
        self._fixed = like(share, pair.pan, namespace(pair.pan).float64)
        return self._fixed

    def coarse(self, pair: Pair) -> Moments:
        """Of the bands and the low-pass PAN at MS scale; of nothing where no fit is needed."""
        if self.fixed(pair) is None:
            return at_ms(coarse)(pair)
        xp = namespace(pair.pan)
        nothing = (like(np.zeros((len(pair.pan), *k)), pair.pan, xp.float64) for k in ((), (1,), (1, 1)))
        return Moments(*nothing)

    def value(self, moments: Moments) -> Array:
        """[B, C], by the moments of `coarse` of the whole scene."""
        if self.chosen != "fit":
            return self._fixed
        xp = namespace(moments.mean)
        reached = like(self._reached, moments.mean)
        power, shared = moments.cov[:, :-1, :-1] * reached[:, None] * reached, moments.cov[:, :-1, -1] * reached
        weights = solve_nonnegative(power, shared)
        total = xp.sum(weights, axis=1, keepdims=True)
        return xp.where(total > 0, weights, reached / xp.sum(reached)) / xp.where(total > 0, total, xp.ones_like(total))

    def _settled(self, pair: Pair, known: Any) -> str:
        if not isinstance(self.choice, str):
            return "given"
        if self.choice != "auto":
            return self.choice
        return "mean" if pair.toolbox else "fit" if known is None else "sensor"


def _numbers(choice: Choice) -> tuple[float, ...]:
    try:
        values = tuple(float(value) for value in (choice.split(",") if isinstance(choice, str) else choice))
    except (TypeError, ValueError):
        values = ()
    if not values or not np.isfinite(values).all() or min(values) < 0 or not sum(values):
        raise InputError(f"weights {choice!r}: expected {', '.join(CHOICES)}, or numbers, one a band, none below 0")
    return values


@dataclass(frozen=True)
class Weighted(Sharpener):
    """A method whose intensity is I = sum w_b E_b: `weights` w, as `Weights` takes them, and what it gave."""

    weights: Choice = "auto"
    chosen: str = UNFITTED
    share: Array = UNFITTED  # [B, C]

    def __post_init__(self) -> None:
        if self.weights not in CHOICES:
            object.__setattr__(self, "weights", _numbers(self.weights))

    def halo(self, ratio: YX) -> int:
        return interpolation_halo(ratio) if self.share is UNFITTED and self.weights in ("auto", "fit") else 0

    @property
    def intensity(self) -> tuple[str, Array] | None:
        return None if self.share is UNFITTED else (self.chosen, self.share)
