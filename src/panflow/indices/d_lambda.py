"""D_lambda: how far fusion changes the similarity of the bands to each other [alparone2008]."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from panflow.arrays import like, namespace
from panflow.indices._qnr import Change
from panflow.types import Array


@dataclass(frozen=True)
class Index(Change):
    """Mean over pairs of bands of |Q(F_i, F_j) - Q(E_i, E_j)|, Q averaged over blocks side by side; 0 for one band.

    variant: "toolbox" (E is MS interpolated, so that E itself has 0), "paper" (E is MS, in blocks smaller by the
    ratio) or "global" (UniPAN: one window).
    """

    title: ClassVar[str] = "D_lambda"
    summary: ClassVar[str] = "spectral distortion: similarity between bands against that in MS"
    variants: ClassVar[tuple[str, ...]] = ("toolbox", "paper", "global")

    def distance(self, difference: Array) -> Array:
        """PAN, the last plane, does not count."""
        xp = namespace(difference)
        k = difference.shape[-1]
        pairs = np.triu(np.ones((k, k)), 1)
        pairs[:, -1] = 0
        weights = like(pairs / max(pairs.sum(), 1), difference)
        return xp.sum(xp.abs(difference) * weights, axis=(-2, -1))
