"""What a network may ask to see of a pair: its `inputs` name properties of `View`.

`ms`, `ms_up` and `pan` went through the transform; the others are the physics of injection, free of the
sensor's counts. Whatever concerns the whole scene is in `statistics.Statistics`, so that tiles equal the whole.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from math import ceil, floor
from typing import Any

import numpy as np

from panflow.arrays import namespace
from panflow.errors import InputError
from panflow.learned.statistics import Statistics
from panflow.ops import kernels
from panflow.ops.kernels import TAPS, Separable
from panflow.ops.resample import REACH, by_band, decimate, interpolate, lowpass, ms_up, precision, sense
from panflow.ops.window import Core, grown, ms_window
from panflow.types import IMAGES, YX, Array, Pair, Transform

WINDOW = 2.0  # standard deviation of the window of local regressions, MS pixels
RADIUS = 6  # where that window ends, MS pixels
NOISE = 1e-3  # what a local regression counts as noise, in squared units of the answer
# one number for a band all over the scene
CONSTANT = {"correlation", "sharpness", "fine_gain", "fine_correlation", "blur", "full_detail"}


def needs_statistics(names: Iterable[str]) -> bool:
    """Whether some of the inputs rest on statistics of the scene."""
    return not IMAGES.issuperset(names)


def halo(ratio: YX, names: Iterable[str]) -> int:
    """PAN pixels that the inputs look at: interpolation from MS, after the MTF filter where physics is asked for
    (local regressions reach less)."""
    interpolated = ceil((REACH + 1) * max(ratio)) + 1
    return interpolated + TAPS // 2 if needs_statistics(names) else interpolated


def coarse(size: tuple[int, int], ratio: YX) -> tuple[int, int]:
    """The size of the MS grid that covers a PAN grid, and no more."""
    y, x = (ceil(n / r - 1e-6) for n, r in zip(size, ratio))
    return y, x


def shape(name: str, bands: int, size: tuple[int, int], ratio: YX) -> tuple[int, int, int]:
    """Of an input of so many PAN pixels, without the batch."""
    if name in CONSTANT:
        return bands, 1, 1
    return (1 if name == "pan" else bands, *(coarse(size, ratio) if name == "ms" else size))


def _window() -> Separable:
    return _gaussian(WINDOW, RADIUS)


def _gaussian(deviation: float, radius: int = 3) -> Separable:
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / deviation) ** 2)
    return Separable(((tuple(taps / taps.sum()),) * 2,))


def blur_of(gain: float) -> float:
    """Standard deviation, in MS pixels, of the Gaussian with this gain at MS's Nyquist frequency."""
    return float(np.sqrt(-2 * np.log(gain)) / np.pi)


class View:
    """A pair as networks see it; every property is [B, C, H, W] unless it says otherwise, and computed when read.

    unit [B, C, 1, 1]: counts per unit of the network's answer; phase: where MS pixel (0, 0) was centred in what the
    network learned from, in PAN pixels, for networks that take `ms` itself (None: anywhere); detail: "pan" for an
    answer as sharp as PAN, "ms" for one as sharp as the MS sensor would give it. With m the interpolated
    band and P' = PAN brought to the band's mean and standard deviation (by those of its low-pass), P'_L its low-pass:
    """

    def __init__(
        self,
        pair: Pair,
        transform: Transform,
        statistics: Statistics | None,
        unit: Array,
        phase: float | None = None,
        detail: str = "pan",
    ):
        self.pair = pair
        self.unit = unit
        self._transform = transform
        self._statistics = statistics
        self._phase = phase
        self._detail = detail

    def part(self, core: Core) -> "View":
        """The view of a window of PAN pixels, which shares what the whole has computed on the MS grid."""
        return _Part(self, core)

    @cached_property
    def _scene(self) -> Statistics:
        if self._statistics is None:
            raise InputError("the model has no statistics of the scene yet: call fit([pair]) first")
        astype = namespace(self.pair.ms).astype
        return Statistics(*(astype(values, self.pair.ms.dtype) for values in vars(self._statistics).values()))

    @cached_property
    def counts(self) -> Array:
        """m: MS interpolated to the PAN grid, in the sensor's counts."""
        return ms_up(self.pair)

    @cached_property
    def _ms(self) -> Array:
        return self._transform.ms(self.pair.ms)

    @cached_property
    def ms(self) -> Array:
        """MS through the transform, [B, C, ceil(H / r), ceil(W / r)], where the window begins and no context around
        it; brought to `phase`, where that is given."""
        pair = self.pair
        size = coarse(pair.size, pair.ratio)
        shifts = tuple(self._shift(phase) for phase in pair.phase)
        if size == pair.ms_size and not any(any(shift) for shift in shifts):
            return self._ms

        def move(bands: Array, shift: Any) -> Array:
            return interpolate(bands, (1.0, 1.0), shift, size, "symmetric")

        return by_band(self._ms, shifts, move)

    def _shift(self, phase: YX) -> YX:
        """By how many MS pixels a band must move up and left to lie as in training: whole pixels alone where training
        had all phases."""
        y, x = (
            floor((p + 0.5) / r) if self._phase is None else (p - self._phase) / r
            for p, r in zip(phase, self.pair.ratio)
        )
        return y, x

    @cached_property
    def ms_up(self) -> Array:
        """MS through the transform, then interpolated."""
        return ms_up(replace(self.pair, ms=self._ms))

    @cached_property
    def pan(self) -> Array:
        """PAN through the transform, [B, 1, H, W]."""
        return self._transform.pan(self.pair.pan)

    @cached_property
    def _gain(self) -> Array:
        """From PAN's counts to units of the answer, [B, C, 1, 1]."""
        return self._scene.std / self._scene.pan_std / self.unit

    @cached_property
    def _pan_at_ms(self) -> Array:
        """PAN as each band sees it, [B, C, h, w]."""
        return sense(self.pair.pan, self.pair)

    @cached_property
    def level(self) -> Array:
        """(m - mean of the scene) / unit."""
        return (self.counts - self._scene.mean) / self.unit

    @cached_property
    def low(self) -> Array:
        """(P'_L - mean of the scene) / unit, P'_L decimated and interpolated back as in a Laplacian pyramid."""
        return (ms_up(replace(self.pair, ms=self._pan_at_ms)) - self._scene.pan_mean) * self._gain

    @cached_property
    def detail(self) -> Array:
        """(P' - P'_L) / unit."""
        return (self.pair.pan - self._scene.pan_mean) * self._gain - self.low

    @cached_property
    def gentle_detail(self) -> Array:
        """(P' - P' through the MTF) / unit: no decimation, so nothing rings."""
        return (self.pair.pan - self._smooth(self.pair.pan, (0.0, 0.0))) * self._gain

    @cached_property
    def pan_smoothed(self) -> Array:
        """PAN through the bands' MTFs, in its counts."""
        return self._smooth(self.pair.pan, (0.0, 0.0))

    def _smooth(self, pan: Array, start: YX) -> Array:
        """PAN through the bands' MTFs, [B, C, H, W]; the view begins at `start` in the image `pan`."""
        pair = self.pair

        def smooth(image: Array, gain: Any) -> Array:
            return decimate(image, kernels.mtf(gain, pair.ratio, precision(image)), (1.0, 1.0), start, pair.size)

        return by_band(pan, pair.sensor.gains, smooth)

    @cached_property
    def proportion(self) -> Array:
        """m / unit between 0 and 4: how far above zero the band lies, for injection in proportion to it."""
        return namespace(self.counts).clip(self.counts / self.unit, 0, 4)

    @cached_property
    def correlation(self) -> Array:
        """Of band and PAN over the scene, at MS scale, [B, C, 1, 1]."""
        return self._scene.correlation

    @cached_property
    def sharpness(self) -> Array:
        """How much finest detail the MS grid shows against what PAN's would show there: of PAN's regression on all
        bands, ten times its logarithm between -4 and 4, [B, C, 1, 1]. Truth that is softer than PAN shows in it."""
        xp = namespace(self._scene.sharpness)
        return 10 * xp.log(xp.clip(self._scene.sharpness, 0.67, 1.5))

    @cached_property
    def fine_gain(self) -> Array:
        """Regression gain of the band's finest detail on that of P', between -4 and 4, [B, C, 1, 1]."""
        return namespace(self._scene.fine_gain).clip(self._scene.fine_gain, -4, 4)

    @cached_property
    def fine_correlation(self) -> Array:
        """Of the finest details of band and PAN, [B, C, 1, 1]."""
        return self._scene.fine_correlation

    @cached_property
    def blur(self) -> Array:
        """Standard deviation, in MS pixels, of the Gaussian with the gain of the band's MTF, [B, C, 1, 1]."""
        xp = namespace(self.unit)
        zero = xp.zeros_like(self._scene.correlation)
        return xp.concat([zero[:, k : k + 1] + blur_of(gain) for k, gain in enumerate(self.pair.sensor.gains)], axis=1)

    @cached_property
    def full_detail(self) -> Array:
        """1 for an answer as sharp as PAN, 0 for one as sharp as the MS sensor would give it, [B, C, 1, 1]."""
        return namespace(self.unit).full_like(self._scene.correlation, float(self._detail == "pan"))

    @cached_property
    def _returned(self) -> Array:
        """u - r v (as in `_local`), on the MS grid, without what its MTF lets through."""
        u = (self.pair.ms - self._scene.mean) / self.unit
        v = (self._pan_at_ms - self._scene.pan_mean) * self._gain
        rest = u - self.correlation * v
        return rest - by_band(rest, self.pair.sensor.gains, lambda x, gain: lowpass(x, _gaussian(blur_of(gain))))

    @cached_property
    def returned(self) -> Array:
        """What a step of back-projection would return to the MTF-GLP injection, / unit."""
        pair = self.pair

        def spread(bands: Array, phase: Any) -> Array:
            return interpolate(bands, pair.ratio, phase, pair.size, "symmetric", "cubic")

        return by_band(self._returned, pair.phase, spread)

    @cached_property
    def substitution(self) -> Array:
        """(P' - I) / unit, I: the bands' regression of PAN as the band sees it; what component substitution injects."""
        xp = namespace(self.counts)
        b, c, h, w = self.counts.shape
        deviations = xp.reshape(self.counts - self._scene.mean, (b, c, h * w))
        intensity = xp.reshape(self._scene.weights @ deviations, (b, c, h, w))
        return (self.pair.pan - self._scene.pan_mean - intensity) * self._gain

    @cached_property
    def _local(self) -> tuple[Array, Array]:
        """Regression gain of the band on P' and their correlation in a window around each MS pixel, drawn to the
        scene's where PAN shows nothing but noise. With u the band and v P' on the MS grid, in units of the answer, <>
        the mean over the window, s = NOISE and r the scene's correlation:

            c = <uv> - <u><v> + s r,   gain = c / (var v + s),   correlation = c / sqrt((var u + s) (var v + s))
        """
        xp = namespace(self.pair.ms)
        c = self.pair.bands
        u = (self.pair.ms - self._scene.mean) / self.unit
        v = (self._pan_at_ms - self._scene.pan_mean) * self._gain
        sums = lowpass(xp.concat([u, v, u * u, v * v, u * v], axis=1), _window())
        mu, mv, uu, vv, uv = (sums[:, k * c : (k + 1) * c] for k in range(5))
        var_u = xp.clip(uu - mu * mu, 0, None)
        var_v = xp.clip(vv - mv * mv, 0, None)
        covariance = uv - mu * mv + NOISE * self.correlation
        return covariance / (var_v + NOISE), covariance / xp.sqrt((var_u + NOISE) * (var_v + NOISE))

    def _spread(self, image: Array) -> Array:
        """From the MS grid to the PAN grid, linearly."""
        pair = self.pair

        def spread(bands: Array, phase: Any) -> Array:
            return interpolate(bands, pair.ratio, phase, pair.size, "symmetric", "linear")

        return by_band(image, pair.phase, spread)

    @cached_property
    def local_gain(self) -> Array:
        """Regression gain of the band on P' in a window, between -4 and 4."""
        return self._spread(namespace(self.counts).clip(self._local[0], -4, 4))

    @cached_property
    def local_correlation(self) -> Array:
        """Correlation of band and PAN in a window."""
        return self._spread(self._local[1])


class _Part(View):
    """A window of a view: what is computed on the MS grid comes from the whole, what is on the PAN grid is computed
    for the window alone."""

    def __init__(self, whole: View, core: Core):
        pair = whole.pair
        top, bottom, left, right = core
        if pair.toolbox:  # whose borders wrap around the whole image
            below: Core = (0, pair.ms_size[0], 0, pair.ms_size[1])
            phase: tuple[YX, ...] = tuple((y - top, x - left) for y, x in pair.phase)
        else:
            below, phase = ms_window(core, pair.phase, pair.ratio, pair.ms_size)
        self._whole = whole
        self._core = core
        self._fine = (..., slice(top, bottom), slice(left, right))
        self._coarse = (..., slice(*below[:2]), slice(*below[2:]))
        part = replace(
            pair,
            pan=pair.pan[self._fine],
            ms=pair.ms[self._coarse],
            pan_valid=None if pair.pan_valid is None else pair.pan_valid[self._fine],
            ms_valid=None if pair.ms_valid is None else pair.ms_valid[self._coarse],
            phase=phase,
            core=None,
            reference=None,
            origin=(pair.origin[0] + top, pair.origin[1] + left),
        )
        super().__init__(part, whole._transform, whole._statistics, whole.unit, whole._phase, whole._detail)

    @cached_property
    def _ms(self) -> Array:
        return self._whole._ms[self._coarse]

    @cached_property
    def _pan_at_ms(self) -> Array:
        return self._whole._pan_at_ms[self._coarse]

    @cached_property
    def _returned(self) -> Array:
        return self._whole._returned[self._coarse]

    @cached_property
    def _local(self) -> tuple[Array, Array]:
        gain, correlation = self._whole._local
        return gain[self._coarse], correlation[self._coarse]

    @cached_property
    def pan(self) -> Array:
        return self._whole.pan[self._fine]

    @cached_property
    def gentle_detail(self) -> Array:
        """As of the whole, from as much of PAN around as the filter looks at."""
        top, bottom, left, right = grown(self._core, TAPS // 2, self._whole.pair.size)
        start = float(self._core[0] - top), float(self._core[2] - left)
        smooth = self._smooth(self._whole.pair.pan[..., top:bottom, left:right], start)
        return (self.pair.pan - smooth) * self._gain
