"""MTF-GLP-HPM: generalised Laplacian pyramid with high-pass modulation [aiazzi2003]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from panflow.methods._injection import UNFITTED, guarded, modulation, pyramid_halo, with_pan
from panflow.methods._lowpass import matched_low, smooth_pan
from panflow.ops.moments import Moments, at_pan, total
from panflow.ops.resample import ms_up
from panflow.types import YX, Array, Pair, Sharpener


@dataclass(frozen=True)
class Method(Sharpener):
    """fused_b = E_b P'_b / P'_L,b, P'_L,b: P'_b through band b's MTF, decimated and interpolated back.

    P'_b: PAN with the mean of E_b and its contrast scaled by std(E_b) / std(low-pass PAN). Shapes [B, C, H, W], in
    counts. `guard` keeps E_b where P'_L,b is near zero (it can be, at dark pixels) and limits the ratio to 10;
    None: on, except for toolbox pairs, whose reference adds eps only.
    """

    family: ClassVar[str] = "multiresolution analysis"
    summary: ClassVar[str] = "scales each band by PAN over what the sensor's MTF leaves of it"
    citation: ClassVar[str] = "aiazzi2003"
    uses_mtf = True

    guard: bool | None = None
    moments: Moments = UNFITTED  # of E, low-pass PAN and P

    def halo(self, ratio: YX) -> int:
        return pyramid_halo(ratio)

    def fit(self, scene: Iterable[Pair]) -> Self:
        return replace(self, moments=total(scene, at_pan(lambda pair: with_pan(pair, smooth_pan(pair))))[0])

    def __call__(self, pair: Pair) -> Array:
        pan, low = matched_low(pair, self.moments, -2)
        mean = self.moments.mean[:, : pair.bands]
        return ms_up(pair) * modulation(pan, low, mean, guarded(self.guard, pair))
