"""CC: the correlation of fused and true bands [wald1997]."""

from dataclasses import dataclass
from typing import ClassVar

from panflow.arrays import namespace
from panflow.indices._case import Case
from panflow.indices._stats import mean, ratio
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
        xp = namespace(case.fused)

        def deviation(image: Array) -> Array:
            return image - xp.astype(mean(image, case.valid), image.dtype)[:, :, None, None]

        x, y = deviation(case.reference), deviation(case.fused)
        power = mean(x * x, case.valid) * mean(y * y, case.valid)
        return xp.mean(ratio(mean(x * y, case.valid), xp.sqrt(power), 0.0), axis=1)
