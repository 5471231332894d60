"""RCS: relative component substitution, Orfeo ToolBox's default [otb]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from panflow.methods._injection import UNFITTED, guarded, interpolation_halo, modulation
from panflow.methods._lowpass import box
from panflow.ops.moments import at_pan, total
from panflow.ops.resample import lowpass, ms_up
from panflow.types import YX, Array, Pair, Sharpener


@dataclass(frozen=True)
class Method(Sharpener):
    """fused_b = E_b P / P_L, P_L = mean of P over a window of 2 radius + 1 PAN pixels a side, borders replicated.

    Shapes [B, C, H, W], in counts. `guard` keeps E_b where P_L is near zero and limits the ratio to 10; None: on,
    except for toolbox pairs.
    """

    family: ClassVar[str] = "multiresolution analysis"
    summary: ClassVar[str] = "scales all bands by PAN over its local mean (Orfeo ToolBox)"
    citation: ClassVar[str] = "otb"

    guard: bool | None = None
    radius: int = 9
    pan_mean: Array = UNFITTED  # [B, 1]

    def halo(self, ratio: YX) -> int:
        return max(self.radius, interpolation_halo(ratio))

    def fit(self, scene: Iterable[Pair]) -> Self:
        return replace(self, pan_mean=total(scene, at_pan(lambda pair: pair.pan))[0].mean)

    def __call__(self, pair: Pair) -> Array:
        low = lowpass(pair.pan, box((2 * self.radius + 1,) * 2))
        return ms_up(pair) * modulation(pair.pan, low, self.pan_mean, guarded(self.guard, pair))
