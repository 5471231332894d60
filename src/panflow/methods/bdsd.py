"""BDSD: band-dependent spatial detail, the detail of each band as a linear model fitted at MS scale [garzelli2008]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from panflow.arrays import namespace
from panflow.methods._bdsd import detail_halo, detail_moments, inject
from panflow.methods._injection import UNFITTED, solve
from panflow.types import YX, Array, Pair, Sharpener


@dataclass(frozen=True)
class Method(Sharpener):
    """fused_b = E_b + sum over c of gamma_cb E_c + gamma_Pb P.

    gamma: least squares of M_b - M_L,b on M_L and P_L at MS scale, no intercept; M: E reduced to MS scale, M_L: M
    through its MTF, P_L: PAN through PAN's. One model for the whole scene (the paper's blocks are not used, as
    in the toolbox's demonstration). Shapes [B, C, H, W], in counts.
    """

    family: ClassVar[str] = "component substitution"
    summary: ClassVar[str] = "models each band's detail as a linear mix of PAN and all bands"
    citation: ClassVar[str] = "garzelli2008"
    uses_mtf = True

    gamma: Array = UNFITTED  # [B, C + 1, C]

    def halo(self, ratio: YX) -> int:
        return detail_halo(ratio)

    def fit(self, scene: Iterable[Pair]) -> Self:
        second = detail_moments(scene).second
        k = second.shape[1] // 2 + 1
        columns = [solve(second[:, :k, :k], second[:, :k, b]) for b in range(k, second.shape[1])]
        return replace(self, gamma=namespace(second).stack(columns, axis=-1))

    def __call__(self, pair: Pair) -> Array:
        return inject(pair, self.gamma)
