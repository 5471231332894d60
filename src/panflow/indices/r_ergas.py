"""R-ERGAS: relative error of the reprojected fused image against MS [scarpa2022]."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from panflow.indices import ergas
from panflow.indices._case import Case, evaluate
from panflow.indices._reproject import reprojected
from panflow.indices._stats import Sums
from panflow.types import Array


@dataclass(frozen=True)
class Index:
    """`ergas` of the fused image, filtered by the sensor's MTF and decimated, with MS as the reference.

    phase: "searched" (as published: the whole PAN pixel that fits best, band by band) or "nominal" (the pair's).
    """

    title: ClassVar[str] = "R-ERGAS"
    unit: ClassVar[str] = ""
    better: ClassVar[str] = "lower"
    ideal: ClassVar[float] = 0.0
    needs: ClassVar[str] = "pair"
    summary: ClassVar[str] = "relative error of the reprojected fused image against MS"
    citation: ClassVar[str] = "scarpa2022"

    phase: str = "searched"

    def __call__(self, case: Case) -> Array:
        return evaluate(self, case)

    def parts(self, case: Case) -> tuple[Sums, ...]:
        return ergas.Index().parts(reprojected(case, self.phase))

    def value(self, means: Sequence[Array], case: Case) -> Array:
        return ergas.Index().value(means, case)
