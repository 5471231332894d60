"""MTF-GLP-HPM-H: high-pass modulation with the haze of MS and PAN removed [lolli2017]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from panflow.arrays import namespace
from panflow.methods._haze import Haze
from panflow.methods._injection import UNFITTED, guarded, modulation, per_band, pyramid_halo, solve, with_pan
from panflow.methods._lowpass import smooth_pan, unit_low
from panflow.ops.moments import at_pan, total
from panflow.ops.resample import ms_up
from panflow.types import YX, Array, Pair, Sharpener


@dataclass(frozen=True)
class Method(Sharpener):
    """fused_b = (E_b - L_b) (P - L_P) / (P_L,b - L_P) + L_b, P_L,b: PAN through band b's MTF, down and up.

    Haze L_b as in bt_h; L_P = w_0 + sum w_b L_b, w regressing the low-pass PAN on E. Shapes [B, C, H, W], in
    counts. `guard` keeps E_b where the denominator is near zero and limits the ratio to 10; None: on, except for
    toolbox pairs.
    """

    family: ClassVar[str] = "multiresolution analysis"
    summary: ClassVar[str] = "as mtf_glp_hpm, with haze removed from bands and PAN"
    citation: ClassVar[str] = "lolli2017"
    uses_mtf = True

    guard: bool | None = None
    haze: Array = UNFITTED  # [B, C]
    pan_haze: Array = UNFITTED  # [B, 1]
    pan_mean: Array = UNFITTED  # [B, 1]

    def halo(self, ratio: YX) -> int:
        return pyramid_halo(ratio)

    def fit(self, scene: Iterable[Pair]) -> Self:
        gathered = Haze()

        def planes(pair: Pair) -> Array:
            image = with_pan(pair, smooth_pan(pair))
            gathered.add(image[:, : pair.bands], pair)
            return image

        m = total(scene, at_pan(planes))[0]
        haze = gathered.value(m.mean)
        weights = solve(m.cov[:, :-2, :-2], m.cov[:, :-2, -2])
        pan_haze = m.mean[:, -2:-1] + namespace(haze).sum(weights * (haze - m.mean[:, :-2]), axis=1, keepdims=True)
        return replace(self, haze=haze, pan_haze=pan_haze, pan_mean=m.mean[:, -1:])

    def __call__(self, pair: Pair) -> Array:
        haze, pan_haze = per_band(self.haze, pair.pan), per_band(self.pan_haze, pair.pan)
        typical = self.pan_mean - self.pan_haze
        ratio = modulation(pair.pan - pan_haze, unit_low(pair) - pan_haze, typical, guarded(self.guard, pair))
        return (ms_up(pair) - haze) * ratio + haze
