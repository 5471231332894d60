"""SSIM: structural similarity in Gaussian windows, mean of the bands' values [wang2004]."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from panflow.arrays import namespace
from panflow.errors import InputError
from panflow.indices._blocks import masked
from panflow.indices._case import Case, evaluate
from panflow.indices._stats import Sums, mean, ratio
from panflow.indices._windows import margin
from panflow.indices.psnr import peak_of
from panflow.ops.kernels import Separable
from panflow.ops.resample import decimate
from panflow.types import Array

RADIUS, SIGMA = 5, 1.5  # the window, in pixels
K1, K2 = 0.01, 0.03
_TAPS = np.exp(-(np.arange(-RADIUS, RADIUS + 1) ** 2) / (2 * SIGMA**2))
_WINDOW = Separable(((tuple(_TAPS / _TAPS.sum()),) * 2,))


@dataclass(frozen=True)
class Index:
    """Mean of (2ab + C1)(2cov + C2) / ((a^2 + b^2 + C1)(var a + var b + C2)), C = (K peak)^2, K = 0.01, 0.03.

    Windows of 11 x 11 pixels that lie inside the image, sigma 1.5; no reduction beforehand. peak: counts, by
    default 2^bits - 1 of the sensor.
    """

    title: ClassVar[str] = "SSIM"
    unit: ClassVar[str] = ""
    better: ClassVar[str] = "higher"
    ideal: ClassVar[float] = 1.0
    needs: ClassVar[str] = "reference"
    summary: ClassVar[str] = "structural similarity to the reference"
    citation: ClassVar[str] = "wang2004"

    peak: float | None = None

    def __call__(self, case: Case) -> Array:
        return evaluate(self, case)

    def parts(self, case: Case) -> tuple[Sums, ...]:
        values, weight = self._bands(case)
        weight = None if weight is None else case.cropped(weight, RADIUS)
        return (case.sums(case.cropped(values, RADIUS), weight),)

    def value(self, means: Sequence[Array], case: Case) -> Array:
        return namespace(means[0]).mean(means[0], axis=1)

    def map(self, case: Case) -> Array:
        values, _ = self._bands(case)
        local = margin(namespace(values).mean(values, axis=1), *(RADIUS,) * 4, float("nan"))
        return masked(local, case.valid)

    def _bands(self, case: Case) -> tuple[Array, Array | None]:
        """SSIM of every window, [B, C, H - 10, W - 10], and which count: those around a valid pixel."""
        xp = namespace(case.fused)
        inside = (..., slice(RADIUS, -RADIUS), slice(RADIUS, -RADIUS))
        size = tuple(n - 2 * RADIUS for n in case.fused.shape[-2:])
        if min(size) < 1:
            raise InputError(f"SSIM needs 11 x 11 pixels at least, not {tuple(case.fused.shape[-2:])}")
        keep = None if case.valid is None else xp.astype(case.valid, case.fused.dtype)
        share = None if keep is None else _around(keep, size)

        def average(image: Array) -> Array:
            return _around(image, size) if keep is None else ratio(_around(image * keep, size), share, 0.0)

        peak = peak_of(case, self.peak)
        c1, c2 = (K1 * peak) ** 2, (K2 * peak) ** 2
        local = []
        for band in range(case.fused.shape[1]):  # one by one, to keep in the cache what is used often
            x, y = case.reference[:, band : band + 1], case.fused[:, band : band + 1]
            level = xp.astype(mean(x, case.valid), x.dtype)[:, :, None, None]
            x, y = x - level, y - level  # float32 would lose the variances beside the squares of the means
            mx, my = average(x), average(y)
            vx, vy, cov = average(x * x) - mx**2, average(y * y) - my**2, average(x * y) - mx * my
            a, b = mx + level, my + level
            local.append((2 * a * b + c1) * (2 * cov + c2) / ((a**2 + b**2 + c1) * (vx + vy + c2)))
        return xp.concat(local, axis=1), None if case.valid is None else case.valid[inside]


def _around(image: Array, size: tuple[int, int]) -> Array:
    return decimate(image, _WINDOW, (1.0, 1.0), (float(RADIUS), float(RADIUS)), size)
