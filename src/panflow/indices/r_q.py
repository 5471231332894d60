"""R-Q: universal quality index of the reprojected fused image against MS [scarpa2022]."""

from dataclasses import dataclass
from typing import ClassVar

from panflow.indices import q_avg
from panflow.indices._case import Case
from panflow.indices._reproject import Reprojected
from panflow.types import Array


@dataclass(frozen=True)
class Index(Reprojected):
    """`q_avg` of the reprojected fused image. window: pixels of MS."""

    title: ClassVar[str] = "R-Q"
    better: ClassVar[str] = "higher"
    ideal: ClassVar[float] = 1.0
    summary: ClassVar[str] = "universal quality index of the reprojected fused image against MS"

    window: int = 32

    def plain(self) -> q_avg.Index:
        return q_avg.Index(self.window)

    def map(self, case: Case) -> Array:
        """On the MS grid, [B, h, w]."""
        return self.plain().map(self.seen(case))
