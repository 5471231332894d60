"""Q: the universal quality index in sliding windows, mean of the bands' values [wang2002]."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from panflow.arrays import namespace
from panflow.indices._blocks import masked
from panflow.indices._case import Case, evaluate
from panflow.indices._stats import Sums, epsilon, mean
from panflow.indices._uqi import quality
from panflow.indices._windows import margin, window_sum
from panflow.types import Array


@dataclass(frozen=True)
class Index:
    """Mean over bands and windows of 4 cov(a, b) ab / ((var a + var b)(a^2 + b^2)).

    Windows of `window` x `window` pixels (or the image, where it is smaller), one at every pixel, inside the
    image. A window counts by its valid pixels.
    """

    title: ClassVar[str] = "Q"
    unit: ClassVar[str] = ""
    better: ClassVar[str] = "higher"
    ideal: ClassVar[float] = 1.0
    needs: ClassVar[str] = "reference"
    summary: ClassVar[str] = "universal quality index, mean of the bands"
    citation: ClassVar[str] = "wang2002"

    window: int = 32

    def __call__(self, case: Case) -> Array:
        return evaluate(self, case)

    def parts(self, case: Case) -> tuple[Sums, ...]:
        count = self._count(case)
        weight, unit = (None, count) if case.valid is None else (case.cropped(count), 1.0)
        planes = (case.cropped(self._band(case, b, count)[:, 0]) for b in range(case.fused.shape[1]))
        bands = [case.sums(plane, weight, unit=unit) for plane in planes]
        return (Sums(sum(band.total for band in bands) / len(bands), bands[0].weight),)

    def value(self, means: Sequence[Array], case: Case) -> Array:
        return means[0]

    def map(self, case: Case) -> Array:
        xp = namespace(case.fused)
        count = self._count(case)
        local = xp.mean(xp.concat([self._band(case, b, count) for b in range(case.fused.shape[1])], axis=1), axis=1)
        rows, columns = self._size(case)
        before, after = ((rows - 1) // 2, (columns - 1) // 2), (rows // 2, columns // 2)
        return masked(margin(local, before[0], after[0], before[1], after[1], float("nan")), case.valid)

    def _size(self, case: Case) -> tuple[int, int]:
        height, width = case.fused.shape[-2:]
        return min(self.window, height), min(self.window, width)

    def _count(self, case: Case) -> Array:
        """Valid pixels of every window, [B, H', W'], or their number."""
        rows, columns = self._size(case)
        if case.valid is None:
            return float(rows * columns)
        xp = namespace(case.fused)
        return window_sum(xp.astype(case.valid[:, 0], case.fused.dtype), (rows, columns))

    def _band(self, case: Case, band: int, count: Array) -> Array:
        """Q of every window of a band, [B, 1, H', W']."""
        xp = namespace(case.fused)
        x, y = case.reference[:, band : band + 1], case.fused[:, band : band + 1]
        keep = None if case.valid is None else xp.astype(case.valid, x.dtype)
        # float32 would lose the variances beside the squares of the means
        level = xp.astype(mean(x, case.valid), x.dtype)[:, :, None, None]
        x, y = x - level, y - level
        if keep is not None:
            x, y, count = x * keep, y * keep, count[:, None]

        def total(image: Array) -> Array:
            return window_sum(image, self._size(case))

        sx, sy, sxy = total(x), total(y), total(x * y)
        squares = total(x * x) + total(y * y)
        variance = count * squares - sx * sx - sy * sy  # times count^2, as all that follows
        variance = xp.where(variance <= 32 * epsilon(x) * count * squares, xp.zeros_like(variance), variance)
        a, b = sx + count * level, sy + count * level
        return quality(count * sxy - sx * sy, variance, a * b, a * a + b * b)
