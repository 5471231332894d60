"""SAM: the mean angle between fused and true spectra [yuhas1992]."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from panflow.arrays import as_float, namespace
from panflow.indices._blocks import masked
from panflow.indices._case import Case, evaluate
from panflow.indices._stats import Sums, ratio
from panflow.types import Array


@dataclass(frozen=True)
class Index:
    """Mean over pixels of acos(<x, y> / |x| |y|) in degrees; pixels where x or y is zero do not count."""

    title: ClassVar[str] = "SAM"
    unit: ClassVar[str] = "degrees"
    better: ClassVar[str] = "lower"
    ideal: ClassVar[float] = 0.0
    needs: ClassVar[str] = "reference"
    summary: ClassVar[str] = "mean spectral angle to the reference"
    citation: ClassVar[str] = "yuhas1992"

    def __call__(self, case: Case) -> Array:
        return evaluate(self, case)

    def parts(self, case: Case) -> tuple[Sums, ...]:
        return (case.sums(*_angles(case.inner())),)

    def value(self, means: Sequence[Array], case: Case) -> Array:
        return means[0]

    def map(self, case: Case) -> Array:
        angle, defined = _angles(case)
        return masked(angle, defined[:, None])


def _angles(case: Case) -> tuple[Array, Array]:
    """Angles in degrees and where they are defined, [B, H, W].

    In float64 always: the arc cosine of a number near 1 loses half of the digits.
    """
    x, y = as_float(case.reference, double=True), as_float(case.fused, double=True)
    xp = namespace(x)
    norms = xp.sqrt(xp.sum(x * x, axis=1) * xp.sum(y * y, axis=1))
    defined = norms > 0
    cosine = ratio(xp.sum(x * y, axis=1), norms, 1.0)
    angle = xp.acos(xp.clip(cosine, -1, 1)) * (180 / xp.pi)
    return angle, defined if case.valid is None else defined & case.valid[:, 0]
