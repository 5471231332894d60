"""PSNR: the peak signal to noise ratio, mean of the bands' values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from panflow.arrays import namespace
from panflow.indices._case import Case, evaluate
from panflow.indices._stats import Sums, ratio
from panflow.types import Array


def peak_of(case: Case, peak: float | None) -> float:
    """The largest count of the sensor's bit depth, unless a peak is given."""
    return float(2**case.sensor.bits - 1) if peak is None else peak


@dataclass(frozen=True)
class Index:
    """Mean over bands of 10 log10(peak^2 / MSE_b); infinite for equal images.

    peak: counts, by default 2^bits - 1 of the sensor. Other packages pool the bands' errors first, which gives
    up to 2 dB less.
    """

    title: ClassVar[str] = "PSNR"
    unit: ClassVar[str] = "dB"
    better: ClassVar[str] = "higher"
    ideal: ClassVar[float] = float("inf")
    needs: ClassVar[str] = "reference"
    summary: ClassVar[str] = "peak signal to noise ratio"
    citation: ClassVar[str] = "dlpan"

    peak: float | None = None

    def __call__(self, case: Case) -> Array:
        return evaluate(self, case)

    def parts(self, case: Case) -> tuple[Sums, ...]:
        inner = case.inner()
        return (case.sums((inner.fused - inner.reference) ** 2, inner.valid),)

    def value(self, means: Sequence[Array], case: Case) -> Array:
        (error,) = means
        xp = namespace(error)
        signal = peak_of(case, self.peak) ** 2
        return xp.mean(10 * xp.log10(ratio(xp.full_like(error, signal), error, float("inf"))), axis=1)
