"""ERGAS: the relative global error, in percent, scaled by the ratio [wald2000]."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from panflow.arrays import namespace
from panflow.indices._case import Case, evaluate
from panflow.indices._stats import Sums, ratio
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
        return evaluate(self, case)

    def parts(self, case: Case) -> tuple[Sums, ...]:
        inner = case.inner()
        return case.sums((inner.fused - inner.reference) ** 2, inner.valid), case.sums(inner.reference, inner.valid)

    def value(self, means: Sequence[Array], case: Case) -> Array:
        error, level = means
        xp = namespace(error)
        relative = ratio(error, level**2, float("inf"))
        resolution = (case.ratio[0] * case.ratio[1]) ** 0.5
        return 100 / resolution * xp.sqrt(xp.mean(relative, axis=1))
