"""BDSD-PC: BDSD with physical constraints, PAN adds and bands take away [vivone2019]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from panflow.arrays import like, namespace
from panflow.methods._bdsd import detail_halo, detail_moments, inject
from panflow.methods._injection import UNFITTED, solve_nonnegative
from panflow.types import YX, Array, Pair, Sharpener


@dataclass(frozen=True)
class Method(Sharpener):
    """fused_b = E_b + sum over c of gamma_cb E_c + gamma_Pb P, with gamma_cb <= 0 <= gamma_Pb.

    gamma: constrained least squares of M_b - M_L,b on M_L and P_L at MS scale (see bdsd), its exact optimum.
    Shapes [B, C, H, W], in counts.
    """

    family: ClassVar[str] = "component substitution"
    summary: ClassVar[str] = "as bdsd, with signs that make physical sense"
    citation: ClassVar[str] = "vivone2019"
    uses_mtf = True

    gamma: Array = UNFITTED  # [B, C + 1, C]

    def halo(self, ratio: YX) -> int:
        return detail_halo(ratio)

    def fit(self, scene: Iterable[Pair]) -> Self:
        second = detail_moments(scene).second
        k = second.shape[1] // 2 + 1
        sign = like(np.array([-1.0] * (k - 1) + [1.0]), second)
        matrix = second[:, :k, :k] * sign[:, None] * sign
        columns = [sign * solve_nonnegative(matrix, sign * second[:, :k, b]) for b in range(k, second.shape[1])]
        return replace(self, gamma=namespace(second).stack(columns, axis=-1))

    def __call__(self, pair: Pair) -> Array:
        return inject(pair, self.gamma)
