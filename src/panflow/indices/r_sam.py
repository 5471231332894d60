"""R-SAM: spectral angle between the reprojected fused image and MS [scarpa2022]."""

from dataclasses import dataclass
from typing import ClassVar

from panflow.indices import sam
from panflow.indices._case import Case
from panflow.indices._reproject import Reprojected, reprojected
from panflow.types import Array


@dataclass(frozen=True)
class Index(Reprojected):
    """`sam` of the reprojected fused image.

    year: whose filters, those of 2022 (no negative taps, unit sum) or of the toolbox of 2015.
    """

    title: ClassVar[str] = "R-SAM"
    unit: ClassVar[str] = "degrees"
    better: ClassVar[str] = "lower"
    ideal: ClassVar[float] = 0.0
    summary: ClassVar[str] = "spectral angle between the reprojected fused image and MS"

    year: int = 2022

    def plain(self) -> sam.Index:
        return sam.Index()

    def seen(self, case: Case) -> Case:
        return reprojected(case, self.phase, self.year)

    def map(self, case: Case) -> Array:
        """On the MS grid, [B, h, w]."""
        return self.plain().map(self.seen(case))
