"""What moved between the exposures of PAN and MS: cars, trains, planes, clouds and their shadows.

PAN as MS would see it, less the mix of the bands that stands for PAN in the scene, is small where both show the same.
What is left is compared with what is usual around it (a detector of constant false alarm rate [rohling1983]), so that a
town full of colours, of which no mix gives PAN exactly, is no crowd of movers.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np

from panflow.ops import kernels
from panflow.ops.consistency import MARGIN, determined
from panflow.ops.fill import fill
from panflow.ops.resample import decimate, ms_aligned, precision
from panflow.types import YX, Pair

AROUND = 10  # MS pixels on every side that say what is usual
GUARD = 2  # MS pixels on every side that do not, as they may show the same mover
USUAL = 75  # percentile of what is left around, which a mover must exceed
TIMES = 5.0  # by so much: chosen on drawn movers (docs/evidence/analysis.md)


def halo(ratio: YX) -> int:
    """PAN pixels that `moved` looks at on every side."""
    return MARGIN + ceil(2 * (AROUND + 1) * max(ratio))


def moved(pair: Pair, weights: Sequence[float]) -> np.ndarray:
    """The MS pixels [h, w] in which PAN and MS show different things; weights: of the bands in the mix."""
    return excess(pair, weights) > TIMES


def excess(pair: Pair, weights: Sequence[float]) -> np.ndarray:
    """How many times what is usual around it PAN differs from the mix of the bands, [h, w], MS grid."""
    from scipy.ndimage import percentile_filter, uniform_filter

    gain = float(np.mean(pair.sensor.gains))
    filter = kernels.unit_mtf(round(gain, 3), pair.ratio, precision(pair.pan))
    pan = decimate(pair.pan, filter, pair.ratio, pair.common_phase, pair.ms_size)[0, 0].astype(np.float64)
    mix = np.tensordot(np.asarray(weights, np.float64), ms_aligned(pair)[0].astype(np.float64), 1)
    there = determined(pair)
    left = fill((pan - mix)[None, None], there)[0, 0]
    side = 2 * AROUND + 1
    left = np.abs(left - uniform_filter(left, side, mode="nearest"))
    ring = np.ones((side, side), bool)
    ring[AROUND - GUARD : AROUND + GUARD + 1, AROUND - GUARD : AROUND + GUARD + 1] = False
    usual = percentile_filter(left, USUAL, footprint=ring, mode="nearest")
    return np.where(there[0, 0] & (usual > 0), left / np.where(usual > 0, usual, 1), 0)
