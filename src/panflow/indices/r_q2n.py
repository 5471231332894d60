"""R-Q2n: Q2n of the reprojected fused image against MS [scarpa2022]."""

from dataclasses import dataclass
from typing import ClassVar

from panflow.indices import q2n
from panflow.indices._case import Case
from panflow.indices._reproject import Reprojected
from panflow.types import Array


@dataclass(frozen=True)
class Index(Reprojected):
    """`q2n` of the reprojected fused image. block: pixels of MS."""

    title: ClassVar[str] = "R-Q2n"
    better: ClassVar[str] = "higher"
    ideal: ClassVar[float] = 1.0
    summary: ClassVar[str] = "Q2n of the reprojected fused image against MS"

    block: int = 32

    def plain(self) -> q2n.Index:
        return q2n.Index(self.block)

    def map(self, case: Case) -> Array:
        """On the MS grid, [B, h, w]."""
        return self.plain().map(self.seen(case))
