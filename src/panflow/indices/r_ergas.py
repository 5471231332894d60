"""R-ERGAS: relative error of the reprojected fused image against MS [scarpa2022]."""

from dataclasses import dataclass
from typing import ClassVar

from panflow.indices import ergas
from panflow.indices._reproject import Reprojected


@dataclass(frozen=True)
class Index(Reprojected):
    """`ergas` of the reprojected fused image."""

    title: ClassVar[str] = "R-ERGAS"
    better: ClassVar[str] = "lower"
    ideal: ClassVar[float] = 0.0
    summary: ClassVar[str] = "relative error of the reprojected fused image against MS"

    def plain(self) -> ergas.Index:
        return ergas.Index()
