"""MTF-GLP-HPM-R: high-pass modulation with PAN matched by regression [vivone2018r]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from panflow.arrays import namespace
from panflow.methods._injection import UNFITTED, guarded, modulation, per_band, pyramid_halo, safe, with_pan
from panflow.methods._lowpass import unit_low
from panflow.ops.moments import at_pan, total
from panflow.ops.resample import ms_up
from panflow.types import YX, Array, Pair, Sharpener


@dataclass(frozen=True)
class Method(Sharpener):
    """fused_b = E_b (P + c_b) / (P_L,b + c_b), c_b = mean(E_b) / g_b - mean(P), g_b = cov(E_b, P_L,b) / var(P_L,b).

    P_L,b: PAN through band b's MTF, decimated and interpolated back. Computed as the ratio of g_b (P - mean P) +
    mean E_b to the same of P_L,b. Shapes [B, C, H, W], in counts. `guard` keeps E_b where the denominator is near
    zero and limits the ratio to 10; None: on, except for toolbox pairs.
    """

    family: ClassVar[str] = "multiresolution analysis"
    summary: ClassVar[str] = (
        "scales each band by PAN over what the sensor's MTF leaves of it, PAN matched by regression"
    )
    citation: ClassVar[str] = "vivone2018r"
    uses_mtf = True

    guard: bool | None = None
    gain: Array = UNFITTED  # [B, C]
    mean: Array = UNFITTED  # [B, C], of E
    pan_mean: Array = UNFITTED  # [B, 1]

    def halo(self, ratio: YX) -> int:
        return pyramid_halo(ratio)

    def fit(self, scene: Iterable[Pair]) -> Self:
        moments = total(scene, at_pan(lambda pair: with_pan(pair, unit_low(pair))))[0]
        bands = moments.mean.shape[1] // 2
        diagonal = namespace(moments.mean).linalg.diagonal
        variance = diagonal(moments.cov)[:, bands:-1]
        gain = diagonal(moments.cov[:, :bands, bands:-1]) / safe(variance)
        return replace(self, gain=gain, mean=moments.mean[:, :bands], pan_mean=moments.mean[:, -1:])

    def __call__(self, pair: Pair) -> Array:
        def affine(image: Array) -> Array:
            return per_band(self.gain, image) * (image - per_band(self.pan_mean, image)) + per_band(self.mean, image)

        ratio = modulation(affine(pair.pan), affine(unit_low(pair)), self.mean, guarded(self.guard, pair))
        return ms_up(pair) * ratio
