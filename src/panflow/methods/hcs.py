"""HCS: hyperspherical colour sharpening, angles kept and the radius taken from PAN [padwick2010]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import ceil
from typing import ClassVar, Self

from panflow.arrays import namespace
from panflow.methods._injection import UNFITTED, guarded, interpolation_halo, matched, modulation
from panflow.methods._lowpass import box
from panflow.ops.moments import Moments, at_pan, total
from panflow.ops.resample import lowpass, ms_up
from panflow.types import YX, Array, Pair, Sharpener


@dataclass(frozen=True)
class Method(Sharpener):
    """fused_b = E_b sqrt(Q / Q_L), Q and Q_L: P^2 and P_L^2 with mean and standard deviation of I^2 = sum E_b^2.

    P_L: mean of P over a window of 2 ratio - 1 pixels (7 at a ratio of 4). This is the paper's "smart" mode, ERDAS
    IMAGINE's with its smoothing filter; smart=False is the naive mode, fused_b = E_b sqrt(Q / I^2). Shapes
    [B, C, H, W], in counts. `guard` keeps E_b where the denominator is near zero and limits the ratio of squares to
    10; None: on, except for toolbox pairs.
    """

    family: ClassVar[str] = "component substitution"
    summary: ClassVar[str] = "scales all bands so that their length follows PAN (ERDAS)"
    citation: ClassVar[str] = "padwick2010"

    guard: bool | None = None
    smart: bool = True
    moments: Moments = UNFITTED  # of I^2, P_L^2 and P^2

    def halo(self, ratio: YX) -> int:
        return interpolation_halo(ratio)

    def fit(self, scene: Iterable[Pair]) -> Self:
        def planes(pair: Pair) -> Array:
            return namespace(pair.pan).concat([_length(ms_up(pair)), _smooth(pair) ** 2, pair.pan**2], axis=1)

        return replace(self, moments=total(scene, at_pan(planes))[0])

    def __call__(self, pair: Pair) -> Array:
        m = self.moments
        bands = ms_up(pair)
        target = m.mean[:, :1], m.std[:, :1]
        pan = matched(pair.pan**2, (m.mean[:, 2:], m.std[:, 2:]), target)
        low = _length(bands)
        if self.smart:
            low = matched(_smooth(pair) ** 2, (m.mean[:, 1:2], m.std[:, 1:2]), target)
        ratio = modulation(pan, low, m.mean[:, :1], guarded(self.guard, pair))
        xp = namespace(bands)
        return bands * xp.sqrt(xp.clip(ratio, 0, None))


def _length(bands: Array) -> Array:
    return namespace(bands).sum(bands**2, axis=1, keepdims=True)


def _smooth(pair: Pair) -> Array:
    return lowpass(pair.pan, box(tuple(2 * ceil(r) - 1 for r in pair.ratio)))
