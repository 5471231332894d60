"""LMVM: local mean and variance matching [debethune1998], as in Orfeo ToolBox [otb]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from panflow.arrays import namespace
from panflow.methods._injection import UNFITTED, interpolation_halo, per_band, with_pan
from panflow.methods._lowpass import box
from panflow.ops.moments import at_pan, total
from panflow.ops.resample import lowpass
from panflow.types import YX, Array, Pair, Sharpener


@dataclass(frozen=True)
class Method(Sharpener):
    """fused_b = (P - mean P) std(E_b) / std(P) + mean E_b, all over a window of 2 radius + 1 PAN pixels a side.

    Borders are replicated; where PAN is flat the result is mean E_b (Orfeo ToolBox divides by zero). Shapes
    [B, C, H, W], in counts.
    """

    family: ClassVar[str] = "multiresolution analysis"
    summary: ClassVar[str] = "gives PAN each band's local mean and contrast (Orfeo ToolBox)"
    citation: ClassVar[str] = "debethune1998"

    radius: int = 3
    mean: Array = UNFITTED  # of E and P [B, C + 1]

    def halo(self, ratio: YX) -> int:
        return self.radius + interpolation_halo(ratio)

    def fit(self, scene: Iterable[Pair]) -> Self:
        return replace(self, mean=total(scene, at_pan(with_pan))[0].mean)

    def __call__(self, pair: Pair) -> Array:
        window = box((2 * self.radius + 1,) * 2)
        image = with_pan(pair)
        xp = namespace(image)
        scene = per_band(self.mean, image)
        centred = image - scene  # squares of small numbers cancel less
        mean = lowpass(centred, window)
        std = xp.sqrt(xp.clip(lowpass(centred**2, window) - mean**2, 0, None))
        flat = std[:, -1:] == 0
        gain = std[:, :-1] / xp.where(flat, xp.ones_like(std[:, -1:]), std[:, -1:])
        detail = xp.where(flat, xp.zeros_like(std[:, -1:]), centred[:, -1:] - mean[:, -1:])
        return gain * detail + mean[:, :-1] + scene[:, :-1]
