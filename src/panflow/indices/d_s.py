"""D_s: how far fusion changes the similarity of the bands to PAN [alparone2008]."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from panflow import registry
from panflow.arrays import namespace
from panflow.indices._case import Case
from panflow.indices._qnr import averages, block_difference, block_map, parts
from panflow.indices._stats import Sums
from panflow.types import Array


@dataclass(frozen=True)
class Index:
    """Mean over bands of |Q(F_b, P) - Q(E_b, P_L)|, Q averaged over blocks side by side.

    variant: "toolbox" (E is MS interpolated, P_L PAN reduced by bicubic interpolation and interpolated back),
    "paper" (MS and the reduced PAN, in blocks smaller by the ratio), "2015" (P_L is PAN through its own MTF) or
    "global" (UniPAN: one window).
    """

    title: ClassVar[str] = "D_s"
    unit: ClassVar[str] = ""
    better: ClassVar[str] = "lower"
    ideal: ClassVar[float] = 0.0
    needs: ClassVar[str] = "pair"
    summary: ClassVar[str] = "spatial distortion: similarity to PAN against that of MS to reduced PAN"
    citation: ClassVar[str] = "alparone2008"

    variant: str = "toolbox"
    block: int = 32

    def __post_init__(self) -> None:
        registry.closest("variant of D_s", self.variant, ("toolbox", "paper", "2015", "global"))

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
        """[..., K, K] to [...]: each band beside PAN, the last plane."""
        xp = namespace(difference)
        return xp.mean(xp.abs(difference[..., :-1, -1]), axis=-1)
