"""What a network may ask to see of a pair: its `inputs` name properties of `View`.

`ms`, `ms_up` and `pan` went through the transform; the others are the physics of injection, free of the
sensor's counts. Whatever concerns the whole scene is in `Statistics`, so that tiles equal the whole.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil, floor
from typing import Any

import numpy as np

from panflow.arrays import namespace, to_numpy
from panflow.errors import InputError
from panflow.ops import kernels
from panflow.ops.kernels import TAPS, Separable
from panflow.ops.moments import Moments, at_ms
from panflow.ops.resample import REACH, by_band, decimate, interpolate, lowpass, ms_up, precision, sense
from panflow.ops.window import Core, grown, ms_window
from panflow.types import IMAGES, YX, Array, Pair, Sensor, Transform

WINDOW = 2.0  # standard deviation of the window of local regressions, MS pixels
RADIUS = 6  # where that window ends, MS pixels
NOISE = 1e-3  # what a local regression counts as noise, in squared units of the answer
RIDGE = 1e-4  # of the regression of PAN on the bands, in correlations
ALIKE = 0.5  # correlation of finest details below which they tell nothing of sharpness
SHARPEST = 1.12  # sharpness of an MS that the sensor's own MTF explains, at most
SOFTER = 1.55  # exponent of sharpness in the MTF gain of an MS that is softer than that
SHARPER = 0.7  # MTF gain per unit of sharpness of one that is sharper
GREATEST = 0.9  # MTF gain that is taken for possible
FINE = Separable((((0.25, 0.5, 0.25),) * 2,))  # what lies above it is the finest detail of an MS grid


CONSTANT = {"correlation", "sharpness", "fine_gain", "fine_correlation"}  # one number for a band all over the scene


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


@dataclass(frozen=True)
class Statistics:
    """Of a whole scene at MS scale, each [B, C, 1, 1]: mean and standard deviation of the bands and of PAN as each
    band would see it, the correlation of the two, and what `View` says of sharpness, fine_gain and fine_correlation;
    weights [B, C, C]: of the bands (last axis) in their regression of PAN as each band would see it."""

    mean: Array
    std: Array
    pan_mean: Array
    pan_std: Array
    correlation: Array
    sharpness: Array
    fine_gain: Array
    fine_correlation: Array
    weights: Array


def softest(gain: float) -> float:
    """Sharpness of an MS that an MTF of this gain explains, at least: what PAN shows whose truth is blurred by a
    Gaussian of 1.1 PAN pixels, at a ratio of 4 (measured on PAN of WorldView-2, IKONOS, SPOT-6 and GaoFen-2)."""
    return 0.88 - 0.27 * gain**2


def observed(sensor: Sensor, statistics: Statistics) -> Sensor | None:
    """The sensor with the MTF gains that the scene shows; None where its own explain the scene's sharpness.

    An MS that is sharper than it should be gets the gain at which PAN would look as sharp (a line through scenes of
    WorldView-2, IKONOS and Landsat 8; on drawn scenes it stops short). One that is softer gets half of that, in
    logarithms, and stays soft for the network: the whole would take an MS that somebody has resampled softly for one
    that needs more detail.
    """
    shown = float(np.median(to_numpy(statistics.sharpness)))
    low = softest(min(sensor.gains))
    if low <= shown <= SHARPEST:
        return None

    def gain(told: float) -> float:
        found = told * max(shown, 0.5) ** SOFTER if shown < low else min(told + SHARPER * (shown - 1), GREATEST)
        return round(found, 2)

    return sensor.with_gains(map(gain, sensor.gains))


class Gather:
    """Hands pairs on and counts their moments, so that one pass through a scene serves everybody."""

    sensor: Sensor  # of the pairs, once they have come

    def __init__(self, scene: Iterable[Pair]):
        self._scene = iter(scene)
        self._moments: Moments | None = None

    def __iter__(self) -> Iterator[Pair]:
        for pair in self._scene:
            self.sensor = pair.sensor
            found = at_ms(_planes)(pair)
            self._moments = found if self._moments is None else self._moments.merge(found)
            yield pair

    def finish(self) -> Statistics:
        """The statistics of all pairs, those that nobody asked for included."""
        for _ in self:
            pass
        m = self._moments
        if m is None:
            raise ValueError("a scene has at least one pair")
        xp, c = namespace(m.mean), m.mean.shape[1] // 4
        std = m.std
        std = xp.where(std > 0, std, xp.full_like(std, float("inf")))
        own, pan, fine, fine_pan = (slice(k * c, (k + 1) * c) for k in range(4))
        correlation = m.cov / std[:, :, None] / std[:, None, :]
        diagonal = xp.linalg.diagonal
        weights = _regressed(correlation[:, own, own], correlation[:, pan, own])  # of bands in standard deviations
        weights = weights * m.std[:, pan, None] / std[:, None, own]
        common = diagonal(weights @ m.cov[:, fine, fine_pan])
        power = diagonal(weights @ m.cov[:, fine, fine] @ weights.mT)
        alike = common > ALIKE * xp.sqrt(power) * m.std[:, fine_pan]
        sharpness = xp.where(alike, common / std[:, fine_pan] ** 2, xp.ones_like(common))
        sharpness = xp.broadcast_to(xp.mean(sharpness, axis=1, keepdims=True), common.shape)
        fine_gain = diagonal(m.cov[:, fine, fine_pan]) / std[:, fine_pan] ** 2 * m.std[:, pan] / std[:, own]
        scene = {
            "mean": m.mean[:, own],
            "std": m.std[:, own],
            "pan_mean": m.mean[:, pan],
            "pan_std": std[:, pan],
            "correlation": diagonal(correlation[:, own, pan]),
            "sharpness": sharpness,
            "fine_gain": fine_gain,
            "fine_correlation": diagonal(correlation[:, fine, fine_pan]),
        }
        return Statistics(**{name: v[:, :, None, None] for name, v in scene.items()}, weights=weights)


def _planes(pair: Pair) -> Array:
    """MS and PAN as each band would see it, and the finest detail of both, [B, 4C, h, w]."""
    both = namespace(pair.ms).concat([pair.ms, sense(pair.pan, pair)], axis=1)
    return namespace(both).concat([both, both - lowpass(both, FINE)], axis=1)


def _regressed(own: Array, cross: Array) -> Array:
    """Weights [B, C, C] of the bands (last axis) that explain PAN as each band sees it, of correlations."""
    xp = namespace(own)
    ridge = own + RIDGE * xp.eye(own.shape[-1], dtype=own.dtype)
    return xp.linalg.solve(ridge, cross.mT).mT


def _window() -> Separable:
    taps = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / WINDOW) ** 2)
    return Separable(((tuple(taps / taps.sum()),) * 2,))


class View:
    """A pair as networks see it; every property is [B, C, H, W] unless it says otherwise, and made when asked for.

    unit [B, C, 1, 1]: counts per unit of the network's answer; phase: where MS pixel (0, 0) was centred in what the
    network learned from, in PAN pixels, for networks that take `ms` itself (None: anywhere). With m the interpolated
    band and P' = PAN brought to the band's mean and standard deviation (by those of its low-pass), P'_L its low-pass:
    """

    def __init__(
        self,
        pair: Pair,
        transform: Transform,
        statistics: Statistics | None,
        unit: Array,
        phase: float | None = None,
    ):
        self._pair, self._transform, self._unit = pair, transform, unit
        self._statistics, self._phase = statistics, phase

    @property
    def pair(self) -> Pair:
        return self._pair

    @property
    def unit(self) -> Array:
        return self._unit

    def part(self, core: Core) -> "View":
        """The view of a window of PAN pixels, which shares what the whole has computed on the MS grid."""
        return _Part(self, core)

    @cached_property
    def _s(self) -> Statistics:
        if self._statistics is None:
            raise InputError("the model knows nothing of the scene yet: call fit([pair]) first")
        convert, names = namespace(self._pair.ms).astype, Statistics.__annotations__
        return Statistics(*(convert(getattr(self._statistics, name), self._pair.ms.dtype) for name in names))

    @cached_property
    def counts(self) -> Array:
        """m: MS interpolated to the PAN grid, in the sensor's counts."""
        return ms_up(self._pair)

    @cached_property
    def _mapped(self) -> Array:
        return self._transform.ms(self._pair.ms)

    @cached_property
    def ms(self) -> Array:
        """MS through the transform, [B, C, ceil(H / r), ceil(W / r)], where the window begins and no context around
        it; brought to `phase`, where that is given."""
        pair, size = self._pair, coarse(self._pair.size, self._pair.ratio)
        shifts = tuple(self._shift(phase) for phase in pair.phase)
        if size == pair.ms_size and not any(any(shift) for shift in shifts):
            return self._mapped

        def move(bands: Array, shift: Any) -> Array:
            return interpolate(bands, (1.0, 1.0), shift, size, "symmetric")

        return by_band(self._mapped, shifts, move)

    def _shift(self, phase: YX) -> YX:
        """By how many MS pixels a band must move up and left to lie as the network knows it: whole pixels alone
        where it knows all phases."""
        y, x = (
            floor((p + 0.5) / r) if self._phase is None else (p - self._phase) / r
            for p, r in zip(phase, self._pair.ratio)
        )
        return y, x

    @cached_property
    def ms_up(self) -> Array:
        """MS through the transform, then interpolated."""
        return ms_up(replace(self._pair, ms=self._mapped))

    @cached_property
    def pan(self) -> Array:
        """PAN through the transform, [B, 1, H, W]."""
        return self._transform.pan(self._pair.pan)

    @cached_property
    def _gain(self) -> Array:
        """From PAN's counts to units of the answer, [B, C, 1, 1]."""
        return self._s.std / self._s.pan_std / self._unit

    @cached_property
    def _seen(self) -> Array:
        """PAN as each band sees it, [B, C, h, w]."""
        return sense(self._pair.pan, self._pair)

    @cached_property
    def level(self) -> Array:
        """(m - mean of the scene) / unit."""
        return (self.counts - self._s.mean) / self._unit

    @cached_property
    def low(self) -> Array:
        """(P'_L - mean of the scene) / unit, P'_L decimated and interpolated back as in a Laplacian pyramid."""
        return (ms_up(replace(self._pair, ms=self._seen)) - self._s.pan_mean) * self._gain

    @cached_property
    def detail(self) -> Array:
        """(P' - P'_L) / unit."""
        return (self._pair.pan - self._s.pan_mean) * self._gain - self.low

    @cached_property
    def gentle_detail(self) -> Array:
        """(P' - P' through the MTF) / unit: no decimation, so nothing rings."""
        return (self._pair.pan - self._smooth(self._pair.pan, (0.0, 0.0))) * self._gain

    def _smooth(self, pan: Array, start: YX) -> Array:
        """PAN through the bands' MTFs, [B, C, H, W]; the view begins at `start` in the image that is given."""
        ratio, size = self._pair.ratio, self._pair.size

        def smooth(image: Array, gain: Any) -> Array:
            return decimate(image, kernels.mtf(gain, ratio, precision(image)), (1.0, 1.0), start, size)

        return by_band(pan, self._pair.sensor.gains, smooth)

    @cached_property
    def proportion(self) -> Array:
        """m / unit between 0 and 4: how far above zero the band lies, for injection in proportion to it."""
        return namespace(self.counts).clip(self.counts / self._unit, 0, 4)

    @cached_property
    def correlation(self) -> Array:
        """Of band and PAN over the scene, at MS scale, [B, C, 1, 1]."""
        return self._s.correlation

    @cached_property
    def sharpness(self) -> Array:
        """How much finest detail the MS grid shows against what PAN's would show there: of PAN's regression on all
        bands, ten times its logarithm between -4 and 4, [B, C, 1, 1]. Truth that is softer than PAN shows in it."""
        xp = namespace(self._s.sharpness)
        return 10 * xp.log(xp.clip(self._s.sharpness, 0.67, 1.5))

    @cached_property
    def fine_gain(self) -> Array:
        """Regression gain of the band's finest detail on that of P', between -4 and 4, [B, C, 1, 1]."""
        return namespace(self._s.fine_gain).clip(self._s.fine_gain, -4, 4)

    @cached_property
    def fine_correlation(self) -> Array:
        """Of the finest details of band and PAN, [B, C, 1, 1]."""
        return self._s.fine_correlation

    @cached_property
    def substitution(self) -> Array:
        """(P' - I) / unit, I: the bands' regression of PAN as the band sees it; what component substitution injects."""
        xp, (b, c, h, w) = namespace(self.counts), self.counts.shape
        deviations = xp.reshape(self.counts - self._s.mean, (b, c, h * w))
        intensity = xp.reshape(self._s.weights @ deviations, (b, c, h, w))
        return (self._pair.pan - self._s.pan_mean - intensity) * self._gain

    @cached_property
    def _local(self) -> tuple[Array, Array]:
        """Regression gain of the band on P' and their correlation in a window around each MS pixel, drawn to the
        scene's where PAN shows nothing but noise."""
        xp, pair = namespace(self._pair.ms), self._pair
        u = (pair.ms - self._s.mean) / self._unit
        v = (self._seen - self._s.pan_mean) * self._gain
        c = pair.bands
        sums = lowpass(xp.concat([u, v, u * u, v * v, u * v], axis=1), _window())
        mu, mv, uu, vv, uv = (sums[:, k * c : (k + 1) * c] for k in range(5))
        uu, vv, uv = xp.clip(uu - mu * mu, 0, None), xp.clip(vv - mv * mv, 0, None), uv - mu * mv
        covariance = uv + NOISE * self.correlation
        return covariance / (vv + NOISE), covariance / xp.sqrt((uu + NOISE) * (vv + NOISE))

    def _spread(self, image: Array) -> Array:
        pair = self._pair

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
    """A window of a view: on the MS grid it shows what the whole has computed, on the PAN grid only its own pixels."""

    def __init__(self, whole: View, core: Core):
        pair, (top, bottom, left, right) = whole.pair, core
        if pair.toolbox:  # whose borders wrap around the whole image
            below: Core = (0, pair.ms_size[0], 0, pair.ms_size[1])
            phase: tuple[YX, ...] = tuple((y - top, x - left) for y, x in pair.phase)
        else:
            below, phase = ms_window(core, pair.phase, pair.ratio, pair.ms_size)
        self._whole, self._core = whole, core
        self._fine = (..., slice(top, bottom), slice(left, right))
        self._coarse = (..., slice(*below[:2]), slice(*below[2:]))
        own = replace(
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
        super().__init__(own, whole._transform, whole._statistics, whole.unit, whole._phase)

    @cached_property
    def _mapped(self) -> Array:
        return self._whole._mapped[self._coarse]

    @cached_property
    def _seen(self) -> Array:
        return self._whole._seen[self._coarse]

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
        return (self._pair.pan - smooth) * self._gain
