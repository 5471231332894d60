"""Interpolation and low-pass kernels of pansharpening, as one-dimensional functions and separable sums.

The interpolator is the field's 23-tap polynomial filter [aiazzi2002], applied twice for a ratio of 4. That
cascade is the Deslauriers-Dubuc subdivision of 12 points [deslauriers1989]; its limit function, evaluated
here at any offset, gives the same values at ratio 2, 4, 8 and carries them over to any ratio and phase.
The low-pass filters imitate a sensor's modulation transfer function by a Gaussian [aiazzi2006].
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

TAPS = 41  # size of the frequency-sampled filters, as the field's toolbox designs them
POINTS = 12  # samples that the polynomial interpolator uses
_LEVELS = 10  # the subdivision is tabulated at steps of 2**-10


@cache
def _subdivision_table() -> np.ndarray:
    """Values of the Deslauriers-Dubuc function at k / 2**_LEVELS, k from -(POINTS - 1) * 2**_LEVELS up."""
    nodes = np.arange(POINTS) - (POINTS // 2 - 1)
    midpoint = np.array([np.prod([(0.5 - m) / (n - m) for m in nodes if m != n]) for n in nodes])
    values = np.zeros(4 * POINTS - 3)
    values[2 * POINTS - 2] = 1.0
    for _ in range(_LEVELS):
        between = np.convolve(values, midpoint, "valid")
        keep = values[POINTS // 2 - 1 : len(values) - POINTS // 2]
        finer = np.zeros(2 * len(between) + 1)
        finer[0::2], finer[1::2] = np.append(keep, values[len(values) - POINTS // 2]), between
        values = finer
    middle = len(values) // 2
    reach = (POINTS - 1) * 2**_LEVELS
    return np.pad(values, reach)[middle : middle + 2 * reach + 1]


def interpolating(offset: np.ndarray) -> np.ndarray:
    """The interpolating function phi at offsets in samples: phi(0) = 1, phi(n) = 0, support (-11, 11).

    Exact where the offset is a multiple of 2**-10 (so at every ratio that is a power of two), else by cubic
    interpolation of the table (error below 1e-9).
    """
    table = _subdivision_table()
    position = (np.asarray(offset, dtype=np.float64) + POINTS - 1) * 2**_LEVELS
    inside = (position > 0) & (position < len(table) - 1)
    position = np.where(inside, position, 0.0)
    base = np.floor(position).astype(int)
    t = position - base
    padded = np.pad(table, 2)
    p = [padded[base + 1 + k] for k in range(4)]
    cubic = (
        -t * (t - 1) * (t - 2) / 6 * p[0]
        + (t + 1) * (t - 1) * (t - 2) / 2 * p[1]
        - (t + 1) * t * (t - 2) / 2 * p[2]
        + (t + 1) * t * (t - 1) / 6 * p[3]
    )
    return np.where(inside, cubic, 0.0)


def cubic(offset: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution kernel with a = -0.5 [keys1981], support (-2, 2)."""
    x = np.abs(offset)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


@dataclass(frozen=True)
class Separable:
    """A two-dimensional filter as a sum of products of taps on offsets -radius..radius.

    terms: ((row taps, column taps), ...); taps are tuples, so that a filter can be the key of a cache.
    """

    terms: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...]

    @property
    def radius(self) -> int:
        return len(self.terms[0][0]) // 2

    def full(self) -> np.ndarray:
        """The filter as one array."""
        return np.asarray(sum(np.outer(rows, columns) for rows, columns in self.terms))


def separate(kernel: np.ndarray, tolerance: float) -> Separable:
    """The shortest separable sum whose largest omitted singular value is below tolerance times the first."""
    u, s, v = np.linalg.svd(kernel)
    rank = max(1, int(np.sum(s > tolerance * s[0])))
    root = np.sqrt(s)
    return Separable(tuple((tuple(u[:, k] * root[k]), tuple(v[k] * root[k])) for k in range(rank)))


def gaussian_window_design(gain: float, ratio: tuple[float, float], points: int = TAPS - 1) -> np.ndarray:
    """The toolbox's filter [TAPS, TAPS] with gain `gain` at the Nyquist frequency of the coarse grid.

    Frequency response: a Gaussian on TAPS x TAPS samples with standard deviation points / (2 r) /
    sqrt(-2 ln gain) samples, r the ratio of each axis; its inverse DFT, times a circular window: Kaiser
    (beta 0.5), interpolated linearly at the radius and zero beyond. Not renormalised: the sum is
    0.998 to 0.999. The toolbox uses points = TAPS - 1 for sensors and TAPS for its generic low-pass.
    """
    if not 0 < gain < 1:
        raise ValueError(f"an MTF gain lies between 0 and 1, not {gain}")
    n = np.arange(TAPS) - TAPS // 2
    sigma = [points / (2 * r) / np.sqrt(-2 * np.log(gain)) for r in ratio]
    rows, columns = (np.cos(2 * np.pi * np.outer(n, n) / TAPS) @ np.exp(-(n**2) / (2 * s**2)) / TAPS for s in sigma)
    radius = np.hypot(n[:, None], n[None, :])
    window = np.interp(radius, np.arange(TAPS // 2 + 1), np.kaiser(TAPS, 0.5)[TAPS // 2 :], right=0.0)
    return np.outer(rows, columns) * window


@cache
def mtf(gain: float, ratio: tuple[float, float], tolerance: float = 1e-10) -> Separable:
    """Low-pass of a sensor whose MTF gain at the Nyquist frequency of MS is `gain`."""
    return separate(gaussian_window_design(gain, ratio), tolerance)


@cache
def unit_mtf(gain: float, ratio: tuple[float, float], tolerance: float = 1e-10) -> Separable:
    """The same without negative taps and with unit sum, as indices see MS [scarpa2022]."""
    taps = np.clip(gaussian_window_design(gain, ratio), 0, None)
    return separate(taps / taps.sum(), tolerance)


@cache
def generic_lowpass(ratio: tuple[float, float], tolerance: float = 1e-10) -> Separable:
    """The toolbox's LPfilterGauss: gain 0.3, used to match PAN's contrast to that of MS."""
    return separate(gaussian_window_design(0.3, ratio, points=TAPS), tolerance)


@cache
def binomial(passes: int) -> tuple[float, ...]:
    """Taps of (1 4 6 4 1)/16 applied `passes` times."""
    taps = np.ones(1)
    for _ in range(passes):
        taps = np.convolve(taps, np.array([1, 4, 6, 4, 1]) / 16)
    return tuple(taps)
