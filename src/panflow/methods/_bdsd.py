"""What bdsd and bdsd_pc share: the linear model of a band's detail, written down at MS resolution."""

from collections.abc import Iterable
from math import ceil
from typing import Any

from panflow.arrays import namespace
from panflow.methods._injection import FILTER
from panflow.methods._lowpass import reduction_phase
from panflow.ops.kernels import Separable, mtf
from panflow.ops.moments import Moments, at_ms, total
from panflow.ops.resample import REACH, by_band, decimate, lowpass, ms_up, precision, shrink
from panflow.types import YX, Array, Pair


def detail_halo(ratio: YX) -> int:
    """An MTF filter at MS resolution, on bands interpolated and reduced."""
    return (FILTER + REACH + 3) * ceil(max(ratio)) + 1


def detail_moments(scene: Iterable[Pair]) -> Moments:
    """Moments at MS scale of M_L (C planes), P_L and M - M_L (C planes).

    M: E reduced by bicubic interpolation, as in the toolbox (1 to 2 % better in ERGAS than MS itself, which the paper
    has); M_L: M through its MTF; P_L: PAN through PAN's MTF, where the MS pixels lie. Filters have unit sum, so
    that a constant has no detail. Toolbox pairs keep the toolbox's sums, and reduce as if the grids shared corners.
    """
    return total(scene, at_ms(_planes))[0]


def _planes(pair: Pair) -> Array:
    ms = shrink(ms_up(pair), pair.ratio, pair.ms_size, reduction_phase(pair))

    def unit(low: Array, filter: Separable) -> Array:
        return low if pair.toolbox else low / float(filter.full().sum())

    def blurred(bands: Array, gain: Any) -> Array:
        filter = mtf(gain, pair.ratio, precision(bands))
        return unit(lowpass(bands, filter), filter)

    filter = mtf(pair.sensor.pan.mtf, pair.ratio, precision(pair.pan))
    pan = unit(decimate(pair.pan, filter, pair.ratio, pair.common_phase, pair.ms_size), filter)
    low = by_band(ms, pair.sensor.gains, blurred)
    return namespace(low).concat([low, pan, ms - low], axis=1)


def inject(pair: Pair, gamma: Array) -> Array:
    """E_b + sum over c of gamma_cb E_c + gamma_Pb P; gamma [B, C + 1, C], PAN last: [B, C, H, W]."""
    bands = ms_up(pair)
    xp = namespace(bands)
    planes = xp.concat([bands, pair.pan], axis=1)
    batch, k, height, width = planes.shape
    detail = xp.astype(gamma, bands.dtype, copy=False).mT @ xp.reshape(planes, (batch, k, height * width))
    return bands + xp.reshape(detail, bands.shape)
