"""R-SAM: spectral angle between the reprojected fused image and MS [scarpa2022]."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from panflow.indices import sam
from panflow.indices._case import Case, evaluate
from panflow.indices._reproject import reprojected
from panflow.indices._stats import Sums
from panflow.types import Array


@dataclass(frozen=True)
class Index:
    """`sam` of the fused image, filtered by the sensor's MTF and decimated, with MS as the reference.

    phase: "searched" (as published: the whole PAN pixel that fits best, band by band) or "nominal" (the pair's).
    year: whose filters, those of 2022 (no negative taps, unit sum) or of the toolbox of 2015.
    """

    title: ClassVar[str] = "R-SAM"
    unit: ClassVar[str] = "degrees"
    better: ClassVar[str] = "lower"
    ideal: ClassVar[float] = 0.0
    needs: ClassVar[str] = "pair"
    summary: ClassVar[str] = "spectral angle between the reprojected fused image and MS"
    citation: ClassVar[str] = "scarpa2022"

    phase: str = "searched"
    year: int = 2022

    def __call__(self, case: Case) -> Array:
        return evaluate(self, case)

    def parts(self, case: Case) -> tuple[Sums, ...]:
        return sam.Index().parts(reprojected(case, self.phase, self.year))

    def value(self, means: Sequence[Array], case: Case) -> Array:
        return sam.Index().value(means, case)

    def map(self, case: Case) -> Array:
        """On the MS grid, [B, h, w]."""
        return sam.Index().map(reprojected(case, self.phase, self.year))
