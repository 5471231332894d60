"""D_lambda: how far fusion changes the similarity of the bands to each other [alparone2008]."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from panflow import registry
from panflow.arrays import like, namespace
from panflow.indices._case import Case
from panflow.indices._qnr import averages, block_difference, block_map, parts
from panflow.indices._stats import Sums
from panflow.types import Array


@dataclass(frozen=True)
class Index:
    """Mean over pairs of bands of |Q(F_i, F_j) - Q(E_i, E_j)|, Q averaged over blocks side by side; 0 for one band.

    variant: "toolbox" (E is MS interpolated, so that E itself has 0), "paper" (E is MS, in blocks smaller by the
    ratio) or "global" (UniPAN: one window).
    """

    title: ClassVar[str] = "D_lambda"
    unit: ClassVar[str] = ""
    better: ClassVar[str] = "lower"
    ideal: ClassVar[float] = 0.0
    needs: ClassVar[str] = "pair"
    summary: ClassVar[str] = "spectral distortion: similarity between bands against that in MS"
    citation: ClassVar[str] = "alparone2008"

    variant: str = "toolbox"
    block: int = 32

    def __post_init__(self) -> None:
        registry.closest("variant of D_lambda", self.variant, ("toolbox", "paper", "global"))

    def __call__(self, case: Case) -> Array:
        return self.value(averages(case, self.variant, self.block), case)

    def parts(self, case: Case) -> tuple[Sums, ...] | None:
        return parts(case, self.variant, self.block)

    def value(self, means: Sequence[Array], case: Case) -> Array:
        fused, ms = means
        return self._distance(fused - ms)

    def map(self, case: Case) -> Array:
        """The same within every block."""
        return block_map(case, self._distance(block_difference(case, self.variant, self.block)), self.block)

    @staticmethod
    def _distance(difference: Array) -> Array:
        """[..., K, K] to [...]: PAN, the last plane, does not count."""
        xp = namespace(difference)
        k = difference.shape[-1]
        pairs = np.triu(np.ones((k, k)), 1)
        pairs[:, -1] = 0
        weights = like(pairs / max(pairs.sum(), 1), difference)
        return xp.sum(xp.abs(difference) * weights, axis=(-2, -1))
