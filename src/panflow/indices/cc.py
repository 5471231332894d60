"""CC: the correlation of fused and true bands [wald1997]."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from panflow.arrays import as_float, namespace
from panflow.indices._case import Case, evaluate
from panflow.indices._stats import Sums, ratio
from panflow.types import Array


@dataclass(frozen=True)
class Index:
    """Mean over bands of Pearson's correlation; 0 for a constant band."""

    title: ClassVar[str] = "CC"
    unit: ClassVar[str] = ""
    better: ClassVar[str] = "higher"
    ideal: ClassVar[float] = 1.0
    needs: ClassVar[str] = "reference"
    summary: ClassVar[str] = "mean correlation with the reference"
    citation: ClassVar[str] = "wald1997"

    def __call__(self, case: Case) -> Array:
        return evaluate(self, case)

    def parts(self, case: Case) -> tuple[Sums, ...]:
        inner = case.inner()
        x, y = as_float(inner.reference, double=True), as_float(inner.fused, double=True)
        return tuple(case.sums(product, inner.valid) for product in (x, y, x * x, y * y, x * y))

    def value(self, means: Sequence[Array], case: Case) -> Array:
        x, y, xx, yy, xy = means
        xp = namespace(x)

        def variance(square: Array, mean: Array) -> Array:
            noise = 1e-12 * square  # of a constant band
            return xp.where(square - mean**2 <= noise, xp.zeros_like(square), square - mean**2)

        power = variance(xx, x) * variance(yy, y)
        return xp.mean(ratio(xy - x * y, xp.sqrt(power), 0.0), axis=1)
