"""Low-passes of PAN that several methods share."""

from functools import cache
from math import ceil

import numpy as np

from panflow.arrays import like
from panflow.methods._injection import pan_matched
from panflow.ops.kernels import Separable, generic_lowpass, mtf
from panflow.ops.moments import Moments
from panflow.ops.resample import interpolate, lowpass, pan_low, precision, sense, shrink, upsampled
from panflow.types import YX, Array, Pair


def smooth_pan(pair: Pair) -> Array:
    """The toolbox's LPfilterGauss of PAN, used to match its contrast to that of MS."""
    return lowpass(pair.pan, generic_lowpass(pair.ratio, precision(pair.pan)))


def unit_sense(pair: Pair) -> Array:
    """What the MS bands see of PAN through filters of unit sum, so that a constant PAN stays what it is, [B, C, h, w].

    The toolbox leaves the sum at 0.998 to 0.999; so do toolbox pairs.
    """
    seen = sense(pair.pan, pair)
    if pair.toolbox:
        return seen
    sums = [float(mtf(gain, pair.ratio).full().sum()) for gain in pair.sensor.gains]
    return seen / like(np.array(sums)[None, :, None, None], seen)


def unit_low(pair: Pair) -> Array:
    """`unit_sense` interpolated back: the low-pass of PAN that each MS band would show, [B, C, H, W]."""
    return upsampled(unit_sense(pair), pair)


def matched_low(pair: Pair, moments: Moments, source: int) -> tuple[Array, Array]:
    """`pan_matched` PAN and the low-pass of it through each band's MTF, decimated and interpolated back."""
    pan = pan_matched(pair, moments, pair.pan, source)
    if pair.toolbox:  # the filters' sums are not 1, so matching and filtering do not commute
        return pan, pan_low(pair, pan)
    return pan, pan_matched(pair, moments, unit_low(pair), source)


@cache
def box(size: YX) -> Separable:
    """The mean over a window of odd sizes (rows, columns)."""
    rows, columns = ((1 / n,) * int(n) for n in size)
    return Separable(((rows, columns),))


def smoothing(ratio: YX) -> Separable:
    """The box of HPF and SFIM: ratio + 1, the next odd size."""
    return box(tuple(2 * ceil(r / 2) + 1 for r in ratio))


def reduction_phase(pair: Pair) -> YX:
    """Where the MS grid lies for MATLAB-like reductions: the toolbox has the grids share corners, others as they do."""
    down, across = pair.ratio
    return ((down - 1) / 2, (across - 1) / 2) if pair.toolbox else pair.common_phase


def reduced_pan(pair: Pair, image: Array) -> Array:
    """An image on PAN's grid reduced to the MS grid and interpolated back, bicubic both times."""
    phase = reduction_phase(pair)
    low = shrink(image, pair.ratio, pair.ms_size, phase)
    return interpolate(low, pair.ratio, phase, pair.size, kind="cubic")
