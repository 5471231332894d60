"""BT-H: Brovey with haze correction and a regressed intensity [lolli2017]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from panflow.arrays import namespace
from panflow.methods._haze import Haze
from panflow.methods._injection import (
    FILTER,
    UNFITTED,
    guarded,
    intensity_moments,
    solve,
)
from panflow.methods._lowpass import smooth_pan
from panflow.methods._pixelwise import modulated
from panflow.ops.moments import Moments, at_pan, total
from panflow.ops.resample import ms_up
from panflow.types import YX, Array, Pair, Sharpener


@dataclass(frozen=True)
class Method(Sharpener):
    """fused_b = max(E_b - L_b, 0) P' / I + L_b, I = sum a_b (E_b - L_b).

    a: least squares of E on the low-pass PAN, without intercept; P': PAN with the mean and standard deviation
    of its low-pass brought to those of I. Haze L_b: for blue, green, red, NIR the sensor's factors (0.95, 0.45,
    0.40, 0.05) times the 1st percentile of E_b, else the minimum. Shapes [B, C, H, W], in counts. `guard` keeps
    E_b where I is near zero and limits the ratio to 10; None: on, except for toolbox pairs.
    """

    family: ClassVar[str] = "component substitution"
    summary: ClassVar[str] = "Brovey with haze removed and a regressed intensity"
    citation: ClassVar[str] = "lolli2017"

    guard: bool | None = None
    haze: Array = UNFITTED  # [B, C]
    weights: Array = UNFITTED  # [B, C]
    moments: Moments = UNFITTED  # of E and the low-pass PAN

    def halo(self, ratio: YX) -> int:
        return FILTER if self.weights is UNFITTED else 0

    def fit(self, scene: Iterable[Pair]) -> Self:
        haze = Haze()

        def planes(pair: Pair) -> Array:
            bands = ms_up(pair)
            haze.add(bands, pair)
            return namespace(bands).concat([bands, smooth_pan(pair)], axis=1)

        moments = total(scene, at_pan(planes))[0]
        weights = solve(moments.second[:, :-1, :-1], moments.second[:, :-1, -1])
        return replace(self, haze=haze.value(moments.mean), weights=weights, moments=moments)

    @property
    def intensity(self) -> tuple[str, Array] | None:
        return None if self.weights is UNFITTED else ("fit", self.weights)

    def __call__(self, pair: Pair) -> Array:
        xp, m = namespace(pair.pan), self.moments
        mean, std, _ = intensity_moments(m, self.weights)
        mean = mean - xp.sum(self.weights * self.haze, axis=1, keepdims=True)
        source, guard = (m.mean[:, -1:], m.std[:, -1:]), guarded(self.guard, pair)
        return modulated(pair, self.weights, source, (mean, std), guard, self.haze)
