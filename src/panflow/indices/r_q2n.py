"""R-Q2n: Q2n of the reprojected fused image against MS [scarpa2022]."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from panflow.indices import q2n
from panflow.indices._case import Case, evaluate
from panflow.indices._reproject import reprojected
from panflow.indices._stats import Sums
from panflow.types import Array


@dataclass(frozen=True)
class Index:
    """`q2n` of the fused image, filtered by the sensor's MTF and decimated, with MS as the reference.

    phase: "searched" (as published: the whole PAN pixel that fits best, band by band) or "nominal" (the pair's).
    block: pixels of MS.
    """

    title: ClassVar[str] = "R-Q2n"
    unit: ClassVar[str] = ""
    better: ClassVar[str] = "higher"
    ideal: ClassVar[float] = 1.0
    needs: ClassVar[str] = "pair"
    summary: ClassVar[str] = "Q2n of the reprojected fused image against MS"
    citation: ClassVar[str] = "scarpa2022"

    phase: str = "searched"
    block: int = 32

    def __call__(self, case: Case) -> Array:
        return evaluate(self, case)

    def parts(self, case: Case) -> tuple[Sums, ...]:
        return q2n.Index(self.block).parts(reprojected(case, self.phase))

    def value(self, means: Sequence[Array], case: Case) -> Array:
        return q2n.Index(self.block).value(means, case)

    def map(self, case: Case) -> Array:
        """On the MS grid, [B, h, w]."""
        return q2n.Index(self.block).map(reprojected(case, self.phase))
