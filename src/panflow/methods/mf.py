"""MF: modulation by a morphological pyramid of half gradients [restaino2016]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import ceil, log2
from typing import ClassVar, Self

import numpy as np

from panflow.arrays import like, namespace
from panflow.methods._injection import UNFITTED, guarded, interpolation_halo, modulation, pan_matched, with_pan
from panflow.ops.moments import Moments, at_pan, total
from panflow.ops.resample import interpolate, ms_up
from panflow.types import YX, Array, Pair, Sharpener


@dataclass(frozen=True)
class Method(Sharpener):
    """fused_b = E_b P'_b / P'_L,b, P'_b = PAN with mean and standard deviation of E_b.

    P_L: ceil(log2 ratio) times the half gradient (the mean of dilation and erosion by a 3 x 3 cross) and
    decimation, by equal steps from PAN down to the MS pixels, then bilinear interpolation back. Shapes
    [B, C, H, W], in counts. `guard` keeps E_b where P'_L,b is near zero and limits the ratio to 10; None: on,
    except for toolbox pairs.
    """

    family: ClassVar[str] = "multiresolution analysis"
    summary: ClassVar[str] = "scales each band by PAN over its morphological low-pass"
    citation: ClassVar[str] = "restaino2016"

    guard: bool | None = None
    moments: Moments = UNFITTED  # of E and P

    def halo(self, ratio: YX) -> int:
        return interpolation_halo(ratio)

    def fit(self, scene: Iterable[Pair]) -> Self:
        return replace(self, moments=total(scene, at_pan(with_pan))[0])

    def __call__(self, pair: Pair) -> Array:
        m = self.moments
        pan, low = pan_matched(pair, m, pair.pan), pan_matched(pair, m, pyramid_low(pair))
        return ms_up(pair) * modulation(pan, low, m.mean[:, : pair.bands], guarded(self.guard, pair))


def pyramid_low(pair: Pair) -> Array:
    """PAN's morphological low-pass [B, 1, H, W].

    The first level's samples are the pixels nearest to the MS pixels and to even divisions between them. The
    toolbox takes every second pixel from 1, then every second from 0, and interpolates back as if the grids of
    successive levels shared corners.
    """
    levels = max(1, ceil(log2(max(pair.ratio)) - 1e-9))
    finest = 2 ** (levels - 1)
    step = tuple(r / finest for r in pair.ratio)
    start = (1.0, 1.0) if pair.toolbox else pair.common_phase
    image = _half_gradient(pair.pan)
    for axis in (-2, -1):
        position = start[axis] + step[axis] * np.arange(pair.ms_size[axis] * finest)
        nearest = np.clip(np.floor(position + 0.5 + 1e-9).astype(int), 0, pair.size[axis] - 1)
        image = namespace(image).take(image, like(nearest, image, namespace(image).int64), axis=image.ndim + axis)
    for _ in range(levels - 1):
        image = _half_gradient(image)[..., ::2, ::2]
    up = (0.5, 0.5) if pair.toolbox else (0.0, 0.0)
    for _ in range(levels - 1):
        height, width = image.shape[-2:]
        image = interpolate(image, (2.0, 2.0), up, (2 * height, 2 * width), kind="linear")
    return interpolate(image, step, up if pair.toolbox else start, pair.size, kind="linear")


def _half_gradient(image: Array) -> Array:
    """(dilation + erosion) / 2 by a cross; outside of the image there is nothing to be larger or smaller."""
    xp = namespace(image)
    largest = smallest = image
    for axis in (-2, -1):
        first, last = (slice(None, -1), slice(1, None))
        cut = (lambda s: (..., s, slice(None))) if axis == -2 else (lambda s: (..., s))
        before = xp.concat([image[cut(slice(0, 1))], image[cut(first)]], axis=axis)
        after = xp.concat([image[cut(last)], image[cut(slice(-1, None))]], axis=axis)
        largest = xp.maximum(largest, xp.maximum(before, after))
        smallest = xp.minimum(smallest, xp.minimum(before, after))
    return (largest + smallest) / 2
