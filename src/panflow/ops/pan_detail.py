"""Consistency with PAN: a fused image changed so that its bands, mixed as PAN mixes them, have PAN's fine detail."""

from functools import cache
from math import ceil

import numpy as np

from panflow.arrays import namespace
from panflow.ops.kernels import Separable
from panflow.ops.resample import lowpass
from panflow.types import YX, Array

FINE = 0.375  # MS pixels: standard deviation of the Gaussian above which detail is fine


def halo(ratio: YX) -> int:
    """PAN pixels that `match` looks at on every side."""
    return ceil(3 * FINE * max(ratio))


def match(fused: Array, pan: Array, weights: Array, shares: Array, ratio: YX) -> Array:
    """fused + shares * high(pan - sum over bands of weights * fused), [B, C, H, W] in counts.

    What PAN's fine detail has that the mix of the bands lacks goes to the bands as component substitution injects it
    [aiazzi2007]. weights, shares [B, C, 1, 1]: of the bands in their regression of PAN, and each band's regression gain
    on that mix. The sum of their products is 1, so the mix of the result has PAN's fine detail.
    """
    mix = namespace(fused).sum(weights * fused, axis=1, keepdims=True)
    rest = pan - mix
    return fused + shares * (rest - lowpass(rest, _gaussian(ratio)))


@cache
def _gaussian(ratio: YX) -> Separable:
    n = np.arange(-halo(ratio), halo(ratio) + 1)
    rows, columns = (np.exp(-0.5 * (n / (FINE * r)) ** 2) for r in ratio)
    return Separable(((tuple(rows / rows.sum()), tuple(columns / columns.sum())),))
