"""Q2n: the quality index of all bands at once, as hypercomplex numbers [garzelli2009]."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np

from panflow.arrays import like, namespace
from panflow.indices._blocks import blocks, degrees, masked, moments, spread
from panflow.indices._case import Case, evaluate
from panflow.indices._stats import Sums, epsilon, ratio
from panflow.types import Array


@dataclass(frozen=True)
class Index:
    """Mean over blocks of |cov(x, y*)| / (sx sy) x 2 |mx||my| / (|mx|^2 + |my|^2) x 2 sx sy / (sx^2 + sy^2).

    x the reference's, y the fused image's spectra, hypercomplex numbers of as many parts as the next power of
    two of the bands. Blocks of `block` pixels, one every `shift` (None: side by side); every band of a block is
    normalised by the reference's mean and deviation there. As in the field's toolbox, counts are first rounded
    to 16 bits, negatives to zero, unless `rounded` is off or no value of the reference exceeds 1 (then they
    are not counts), and images are mirrored where blocks reach over the border.
    """

    title: ClassVar[str] = "Q2n"
    unit: ClassVar[str] = ""
    better: ClassVar[str] = "higher"
    ideal: ClassVar[float] = 1.0
    needs: ClassVar[str] = "reference"
    summary: ClassVar[str] = "quality index of all bands as one hypercomplex number"
    citation: ClassVar[str] = "garzelli2009"

    block: int = 32
    shift: int | None = None
    rounded: bool = True

    def __call__(self, case: Case) -> Array:
        return evaluate(self, case)

    def parts(self, case: Case) -> tuple[Sums, ...]:
        return (case.sums(*self._blocks(case.inner()), self.shift or self.block, self.block**2),)

    def value(self, means: Sequence[Array], case: Case) -> Array:
        return means[0]

    def map(self, case: Case) -> Array:
        inner = case.inner()
        values, _ = self._blocks(inner)
        local = spread(values, self.shift or self.block, inner.fused.shape[-2:])
        return masked(case.framed(local), case.valid)

    def _blocks(self, case: Case) -> tuple[Array, Array | None]:
        """Q2n of every block [B, n, m], and the number of its valid pixels where not all are."""
        x, y = case.reference, case.fused
        if self.rounded and float(namespace(x).max(x)) > 1:
            x, y = _counts(x), _counts(y)
        shift = self.shift or self.block
        x, y = blocks(x, self.block, shift), blocks(y, self.block, shift)
        if case.valid is None:
            return hypercomplex_quality(x, y, None), None
        xp = namespace(x)
        weight = xp.astype(blocks(case.valid, self.block, shift), x.dtype)
        return hypercomplex_quality(x, y, weight), xp.sum(weight, axis=(-2, -1))


def _counts(image: Array) -> Array:
    """Rounded half up and limited to 16 bits."""
    xp = namespace(image)
    return xp.clip(xp.floor(image + 0.5), 0, 65535)


def hypercomplex_quality(x: Array, y: Array, weight: Array | None) -> Array:
    """Q2n of blocks x (reference) and y, [..., C, n]; weight [..., 1, n] is 1 or 0.

    The product is bilinear, so the covariance of hypercomplex numbers follows from that of their parts: only
    the C x C covariances of a block are needed.
    """
    xp = namespace(x)
    bands = x.shape[-2]
    table = like(product_table(bands), x)  # [k, i, j]
    parts = table.shape[0]
    mean_x, var_x, dev_x = moments(x, weight)
    mean_y, var_y, dev_y = moments(y, weight)
    n = degrees(x, weight)
    # As executed by the toolbox: a flat band is divided by eps; where the reference's mean is zero, the fused
    # band is not divided at all.
    scale = xp.where(var_x > 0, xp.sqrt(var_x), xp.full_like(var_x, epsilon(x)))
    scale_y = xp.where(mean_x == 0, xp.ones_like(scale), scale)
    covariance = (
        dev_x @ dev_y.mT / (n if weight is None else n[..., None]) / scale[..., :, None] / scale_y[..., None, :]
    )
    product = xp.reshape(covariance, (*covariance.shape[:-2], bands * bands)) @ xp.reshape(table, (parts, -1)).mT
    spread_both = xp.sum(var_x / scale**2, axis=-1) + xp.sum(var_y / scale_y**2, axis=-1)
    # normalised, the reference's means are 1, and so are both images' in the parts that no band fills
    power_x = float(parts)
    power_y = xp.sum(((mean_y - mean_x) / scale_y + 1) ** 2, axis=-1) + (parts - bands)
    bias = 2 * xp.sqrt(power_x * power_y) / (power_x + power_y)
    modulus = xp.sqrt(xp.sum(product * product, axis=-1))
    return bias * ratio(2 * modulus, spread_both, 1.0)


@cache
def product_table(bands: int) -> np.ndarray:
    """T[k, i, j] with x y* = sum over i, j of T[k, i, j] x_i y_j e_k, for the first `bands` units.

    Cayley-Dickson numbers of the next power of two of parts: (a, b)(c, d) = (ac - d*b, da + bc*).
    """
    parts = 1
    table = np.ones((1, 1, 1))
    while parts < bands:
        sign = np.where(np.arange(parts) == 0, 1.0, -1.0)  # of the conjugate
        swapped = table.transpose(0, 2, 1)
        double = np.zeros((2 * parts,) * 3)
        double[:parts, :parts, :parts] = table
        double[:parts, parts:, parts:] = -swapped * sign
        double[parts:, :parts, parts:] = swapped
        double[parts:, parts:, :parts] = table * sign
        table, parts = double, 2 * parts
    conjugate = np.where(np.arange(parts) == 0, 1.0, -1.0)
    return (table * conjugate)[:, :bands, :bands]
