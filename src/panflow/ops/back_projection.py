"""Back-projection: a fused image changed so that, seen by the sensor, it gives the MS that was measured."""

from functools import cache
from math import ceil

import numpy as np

from panflow.arrays import like, namespace
from panflow.ops.kernels import TAPS, gaussian_window_design
from panflow.ops.resample import by_band, interpolate, sense
from panflow.types import YX, Array, Pair

GAIN = 1.5  # of a step: two such steps come as close as four of gain 1, and converge for every MTF in use


def halo(ratio: YX) -> int:
    """PAN pixels that one step looks at on every side: the MTF filter, and cubic interpolation back."""
    return TAPS // 2 + ceil(2 * max(ratio)) + 1


def halo_float32(pair: Pair) -> int:
    """PAN pixels that one step looks at in float32: beyond them the MTF filters hold a millionth of their weight."""
    return max(_radius(gain, pair.ratio) for gain in set(pair.sensor.gains)) + 1 + ceil(2 * max(pair.ratio)) + 1


@cache
def _radius(gain: float, ratio: YX) -> int:
    share = np.abs(gaussian_window_design(gain, ratio))
    share /= share.sum()
    n = np.abs(np.arange(TAPS) - TAPS // 2)
    far = np.maximum(n[:, None], n[None, :])
    return next(radius for radius in range(TAPS // 2 + 1) if share[far > radius].sum() < 1e-6)


def project(fused: Array, pair: Pair, steps: int) -> Array:
    """fused + GAIN * up(ms - sense(fused)), `steps` times, [B, C, H, W] in counts [irani1991].

    Only MS pixels that are valid and lie within the image count.
    """
    counted = _counted(pair, fused)
    for _ in range(steps):
        missing = (pair.ms - sense(fused, pair)) * counted
        fused = fused + GAIN * by_band(
            missing, pair.phase, lambda x, p: interpolate(x, pair.ratio, p, pair.size, "symmetric", "cubic")
        )
    return fused


def _counted(pair: Pair, image: Array) -> Array:
    """1 for MS pixels that count, else 0: [1 or B, 1, h, w]."""
    inside = []
    for axis in (0, 1):
        position = pair.common_phase[axis] + np.arange(pair.ms_size[axis]) * pair.ratio[axis]
        inside.append((position >= -0.5) & (position <= pair.size[axis] - 0.5))
    counted = like((inside[0][:, None] & inside[1][None, :])[None, None], image)
    return counted if pair.ms_valid is None else counted * namespace(image).astype(pair.ms_valid, image.dtype)
