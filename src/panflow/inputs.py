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

from panflow.arrays import namespace
from panflow.errors import InputError
from panflow.ops import kernels
from panflow.ops.kernels import TAPS, Separable
from panflow.ops.moments import Moments, at_ms
from panflow.ops.resample import REACH, by_band, decimate, interpolate, lowpass, ms_up, precision, sense
from panflow.ops.window import Core, grown, ms_window
from panflow.types import YX, Array, Pair, Transform

WINDOW = 2.0  # standard deviation of the window of local regressions, MS pixels
RADIUS = 6  # where that window ends, MS pixels
NOISE = 1e-3  # what a local regression counts as noise, in squared units of the answer


IMAGES = {"ms", "ms_up", "pan"}  # inputs that ask for nothing but the transform
NOTHING = dict.fromkeys(IMAGES)  # what every network can be called with, whether it asks or not


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


@dataclass(frozen=True)
class Statistics:
    """Of a whole scene at MS scale, each [B, C, 1, 1]: mean and standard deviation of the bands and of PAN as each
    band would see it, and the correlation of the two."""

    mean: Array
    std: Array
    pan_mean: Array
    pan_std: Array
    correlation: Array


class Gather:
    """Hands pairs on and counts their moments, so that one pass through a scene serves everybody."""

    def __init__(self, scene: Iterable[Pair]):
        self._scene = iter(scene)
        self._moments: Moments | None = None

    def __iter__(self) -> Iterator[Pair]:
        for pair in self._scene:
            found = at_ms(lambda p: namespace(p.ms).concat([p.ms, sense(p.pan, p)], axis=1))(pair)
            self._moments = found if self._moments is None else self._moments.merge(found)
            yield pair

    def finish(self) -> Statistics:
        """The statistics of all pairs, those that nobody asked for included."""
        for _ in self:
            pass
        m = self._moments
        if m is None:
            raise ValueError("a scene has at least one pair")
        xp, bands = namespace(m.mean), m.mean.shape[1] // 2
        covariance = xp.linalg.diagonal(m.cov[:, :bands, bands:])
        std, pan_std = (xp.where(s > 0, s, xp.full_like(s, float("inf"))) for s in (m.std[:, :bands], m.std[:, bands:]))
        correlation = covariance / std / pan_std
        values = (m.mean[:, :bands], m.std[:, :bands], m.mean[:, bands:], pan_std, correlation)
        return Statistics(*(v[:, :, None, None] for v in values))


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
