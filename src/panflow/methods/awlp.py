"""AWLP: additive wavelet luminance proportional, "a trous" planes shared out by the bands' colour [otazu2005]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from panflow.arrays import namespace
from panflow.methods._injection import UNFITTED, guarded, interpolation_halo, modulation, pan_matched, with_pan
from panflow.methods._lowpass import reduced_pan
from panflow.ops.moments import Moments, at_pan, total
from panflow.ops.resample import atrous, ms_up
from panflow.types import YX, Array, Pair, Sharpener


@dataclass(frozen=True)
class Method(Sharpener):
    """fused_b = E_b + E_b / I (P'_b - P'_L,b), I = mean of E over bands, P'_L,b the "a trous" low-pass of P'_b.

    P'_b: PAN with the mean of E_b and its contrast scaled by std(E_b) / std(P_S), P_S being PAN reduced to MS and
    back (bicubic). Shapes [B, C, H, W], in counts. `guard` takes E_b / I as 1 where I is near zero and limits it
    to 10; None: on, except for toolbox pairs.
    """

    family: ClassVar[str] = "multiresolution analysis"
    summary: ClassVar[str] = "adds PAN's \"a trous\" planes in proportion to each band's share of the mean"
    citation: ClassVar[str] = "otazu2005"

    guard: bool | None = None
    moments: Moments = UNFITTED  # of E, P_S and P

    def halo(self, ratio: YX) -> int:
        return interpolation_halo(ratio)

    def fit(self, scene: Iterable[Pair]) -> Self:
        return replace(self, moments=total(scene, at_pan(lambda pair: with_pan(pair, reduced_pan(pair, pair.pan))))[0])

    def __call__(self, pair: Pair) -> Array:
        m = self.moments
        xp = namespace(pair.pan)
        bands = ms_up(pair)
        mean = xp.mean(m.mean[:, : pair.bands], axis=1, keepdims=True)
        share = modulation(bands, xp.mean(bands, axis=1, keepdims=True), mean, guarded(self.guard, pair))
        low = atrous(pair.pan, pair.ratio)
        return bands + share * (pan_matched(pair, m, pair.pan, -2) - pan_matched(pair, m, low, -2))
