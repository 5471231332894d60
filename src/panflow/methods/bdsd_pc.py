"""BDSD-PC: BDSD with physical constraints, PAN adds and bands take away [vivone2019]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from scipy.optimize import nnls

from panflow.arrays import like, to_numpy
from panflow.methods._bdsd import detail_halo, detail_moments, inject
from panflow.types import YX, Array, Pair


@dataclass(frozen=True)
class Method:
    """fused_b = E_b + sum over c of gamma_cb E_c + gamma_Pb P, with gamma_cb <= 0 <= gamma_Pb.

    gamma: constrained least squares of M_b - M_L,b on M_L and P_L at MS scale (see bdsd), its exact optimum.
    Shapes [B, C, H, W], in counts.
    """

    family: ClassVar[str] = "component substitution"
    summary: ClassVar[str] = "as bdsd, with signs that make physical sense"
    citation: ClassVar[str] = "vivone2019"

    gamma: Array | None = None  # [B, C + 1, C]

    def halo(self, ratio: YX) -> int:
        return detail_halo(ratio)

    def fit(self, scene: Iterable[Pair]) -> Self:
        second = detail_moments(scene).second
        return replace(self, gamma=like(np.stack([_constrained(s) for s in to_numpy(second)]), second))

    def __call__(self, pair: Pair) -> Array:
        return inject(pair, self.gamma)


def _constrained(second: np.ndarray) -> np.ndarray:
    """Non-negative least squares by the normal equations: |A x - b| = |R x - R^-T A'b| with A'A = R'R."""
    k = len(second) // 2 + 1
    sign = np.append(-np.ones(k - 1), 1.0)
    size = np.sqrt(np.diagonal(second)[:k])
    scale = sign / np.where(size > 0, size, 1.0)
    values, vectors = np.linalg.eigh(second[:k, :k] * np.outer(scale, scale))
    root = np.sqrt(np.where(values > 1e-14, values, np.inf))  # a vanishing direction explains nothing
    factor = np.where(values > 1e-14, root, 0.0)[:, None] * vectors.T
    right = vectors.T @ (scale[:, None] * second[:k, k:]) / root[:, None]
    return scale[:, None] * np.stack([nnls(factor, column)[0] for column in right.T], axis=1)
