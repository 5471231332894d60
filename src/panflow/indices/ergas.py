"""ERGAS: the relative global error, in percent, scaled by the ratio [wald2000]."""

from dataclasses import dataclass
from typing import ClassVar

from panflow.arrays import namespace
from panflow.indices._case import Case
from panflow.indices._stats import mean, ratio
from panflow.types import Array


@dataclass(frozen=True)
class Index:
    """(100 / r) sqrt(mean over bands of MSE_b / mean(reference_b)^2), r PAN pixels per MS pixel."""

    title: ClassVar[str] = "ERGAS"
    unit: ClassVar[str] = ""
    better: ClassVar[str] = "lower"
    ideal: ClassVar[float] = 0.0
    needs: ClassVar[str] = "reference"
    summary: ClassVar[str] = "relative global error over all bands"
    citation: ClassVar[str] = "wald2000"

    def __call__(self, case: Case) -> Array:
        xp = namespace(case.fused)
        error = mean((case.fused - case.reference) ** 2, case.valid)
        relative = ratio(error, mean(case.reference, case.valid) ** 2, float("inf"))
        resolution = (case.ratio[0] * case.ratio[1]) ** 0.5
        return 100 / resolution * xp.sqrt(xp.mean(relative, axis=1))
