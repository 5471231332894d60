"""RMSE: the root of the mean square error, in counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from panflow.arrays import namespace
from panflow.indices._blocks import masked
from panflow.indices._case import Case, evaluate
from panflow.indices._stats import Sums
from panflow.types import Array


@dataclass(frozen=True)
class Index:
    """sqrt(mean over bands and pixels of (fused - reference)^2); its map is the error map."""

    title: ClassVar[str] = "RMSE"
    unit: ClassVar[str] = "counts"
    better: ClassVar[str] = "lower"
    ideal: ClassVar[float] = 0.0
    needs: ClassVar[str] = "reference"
    summary: ClassVar[str] = "root mean square error"
    citation: ClassVar[str] = "wald1997"

    def __call__(self, case: Case) -> Array:
        return evaluate(self, case)

    def parts(self, case: Case) -> tuple[Sums, ...]:
        inner = case.inner()
        return (case.sums((inner.fused - inner.reference) ** 2, inner.valid),)

    def value(self, means: Sequence[Array], case: Case) -> Array:
        xp = namespace(means[0])
        return xp.sqrt(xp.mean(means[0], axis=1))

    def map(self, case: Case) -> Array:
        xp = namespace(case.fused)
        return masked(xp.sqrt(xp.mean((case.fused - case.reference) ** 2, axis=1)), case.valid)
