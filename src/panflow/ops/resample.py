"""Moving between the MS grid and the PAN grid, at any ratio and phase.

`phase` is where the centre of MS pixel 0 falls on the PAN grid, in PAN pixels; MS pixel i lies at
phase + i * ratio. A linear ramp stays a ramp in both directions.
"""

import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from panflow.arrays import is_double, is_torch, namespace
from panflow.ops import kernels
from panflow.ops.banded import Banded, apply_terms, in_double
from panflow.ops.kernels import Separable
from panflow.types import YX, Array, Pair, yx

REACH = 11  # MS pixels that interpolation looks at on either side
STRIP = 64  # PAN rows of a strip: with 512 columns and 4 bands in float32 half a MiB
INTERPOLATORS: dict[str, tuple[Callable, float]] = {
    "polynomial": (kernels.interpolating, kernels.POINTS - 1),
    "cubic": (kernels.cubic, 2),
    "linear": (lambda x: np.maximum(0.0, 1.0 - np.abs(x)), 1),
    "nearest": (lambda x: ((x > -0.5) & (x <= 0.5)).astype(float), 0.5),
}


def sampled_kernel(position: np.ndarray, kernel: Callable, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Start and normalised weights of a kernel of half-width `reach` around positions on the input axis."""
    start = np.ceil(position - reach - 1e-9).astype(int)
    taps = int(np.floor(2 * reach + 1e-9)) + 1
    weights = kernel(start[:, None] + np.arange(taps) - position[:, None])
    used = np.flatnonzero(np.abs(weights).max(axis=0) > 0)
    start, weights = start + used[0], weights[:, used[0] : used[-1] + 1]
    return start, weights / weights.sum(axis=1, keepdims=True)


@lru_cache(maxsize=512)
def interpolator(size: int, outputs: int, ratio: float, phase: float, border: str, kind: str) -> Banded:
    """From `size` coarse samples to `outputs` fine ones."""
    kernel, reach = INTERPOLATORS[kind]
    start, weights = sampled_kernel((np.arange(outputs) - phase) / ratio, kernel, reach)
    return Banded(start, weights, size, border)


@lru_cache(maxsize=512)
def _sampled_filter(taps: tuple[float, ...], size: int, outputs: int, step: float, phase: float, border: str) -> Banded:
    """Filter taps (correlation) evaluated at phase + i * step; between samples the taps are interpolated."""
    position = phase + np.arange(outputs) * step
    base = np.floor(position + 0.5).astype(int)
    radius = len(taps) // 2
    fraction = position - base
    if np.abs(fraction).max() < 1e-9:
        weights = np.broadcast_to(np.array(taps), (outputs, len(taps)))
        return Banded(base - radius, weights, size, border)
    reach = radius + 2
    n = np.arange(-reach, reach + 1)
    shifted, where = np.unique(np.round(fraction, 9), return_inverse=True)
    bank = np.stack(
        [kernels.interpolating(n[:, None] - f - np.arange(-radius, radius + 1)) @ np.array(taps) for f in shifted]
    )
    return Banded(base - reach, bank[where], size, border)


def lowpass(image: Array, filter: Separable, border: str = "edge") -> Array:
    """The filtered image [..., H, W], same size."""
    height, width = image.shape[-2:]
    return decimate(image, filter, (1.0, 1.0), (0.0, 0.0), (height, width), border)


def decimate(
    image: Array, filter: Separable, ratio: YX, phase: YX, size: tuple[int, int], border: str = "edge"
) -> Array:
    """The filtered image [..., H, W] at the centres of `size` coarse pixels: [..., h, w]. Only these are computed."""
    height, width = image.shape[-2:]
    terms = [
        (
            _sampled_filter(rows, height, size[0], ratio[0], phase[0], border),
            _sampled_filter(columns, width, size[1], ratio[1], phase[1], border),
        )
        for rows, columns in filter.terms
    ]
    return apply_terms(image, terms)


def interpolate(
    image: Array,
    ratio: YX,
    phase: YX,
    size: tuple[int, int],
    border: str = "symmetric",
    kind: str = "polynomial",
) -> Array:
    """A coarse image [..., h, w] on the fine grid of `size`: [..., H, W]."""
    return apply_terms(image, [_maps(image, ratio, phase, size, border, kind)])


def _maps(image: Array, ratio: YX, phase: YX, size: tuple[int, int], border: str, kind: str) -> tuple[Banded, Banded]:
    """Interpolation along rows' axis and along columns' axis."""
    rows, columns = (
        interpolator(n, outputs, float(r), float(p), border, kind)
        for n, outputs, r, p in zip(image.shape[-2:], size, ratio, phase)
    )
    return rows, columns


@in_double
def atrous(image: Array, ratio: YX, step: YX = (1.0, 1.0), phase: YX = (0.0, 0.0), size: tuple | None = None) -> Array:
    """The "a trous" low-pass of GSA, ATWT and AWLP, at phase + i * step: log2(r) binomial passes down and up.

    Borders as in the toolbox: every pass down mirrors the array that the pass before has grown by two.
    """
    size = size or image.shape[-2:]
    for axis, r, s, p, outputs in zip((-2, -1), ratio, step, phase, size):
        levels = max(1, round(float(np.log2(r))))
        offset = 0.0
        for _ in range(levels - 1):
            grown = image.shape[axis] + 4
            image = _sampled_filter(kernels.binomial(1), grown - 4, grown, 1.0, -2.0, "symmetric").apply(image, axis)
            offset += 2.0
        taps = kernels.binomial(levels + 1)
        last = _sampled_filter(taps, image.shape[axis], outputs, float(s), float(p) + offset, "symmetric")
        image = last.apply(image, axis)
    return image


@lru_cache(maxsize=512)
def _antialiased(size: int, outputs: int, step: float, phase: float) -> Banded:
    position = phase + np.arange(outputs) * step
    start, weights = sampled_kernel(position, lambda x: kernels.cubic(x / step), 2 * step)
    # at ratios that are not whole, the stretched kernel's centroid strays from its position: bring it back
    offset, share = start[:, None] + np.arange(weights.shape[1]) - position[:, None], np.abs(weights)
    stray = (weights * offset).sum(axis=1) / (share * offset**2).sum(axis=1)
    weights = weights - stray[:, None] * share * offset
    weights = weights / weights.sum(axis=1, keepdims=True)
    return Banded(start, weights, size, "symmetric")


def shrink(image: Array, ratio: YX, size: tuple[int, int], phase: YX | None = None) -> Array:
    """Antialiased bicubic reduction (the kernel stretched by the ratio), [..., H, W] to [..., h, w].

    By default the grids share corners, as in MATLAB's imresize; borders are mirrored.
    """
    height, width = image.shape[-2:]
    phase = phase or ((ratio[0] - 1) / 2, (ratio[1] - 1) / 2)
    rows = _antialiased(height, size[0], float(ratio[0]), float(phase[0]))
    return apply_terms(image, [(rows, _antialiased(width, size[1], float(ratio[1]), float(phase[1])))])


def by_band(image: Array, keys: Sequence, function: Callable[[Array, Any], Array]) -> Array:
    """`function(bands, key)` over bands [B, C, H, W] (C = 1 serves all), once for bands that share a key."""
    xp = namespace(image)
    distinct = list(dict.fromkeys(keys))
    if len(distinct) == 1:
        result = function(image, distinct[0])
        return (
            result
            if image.shape[1] == len(keys)
            else xp.broadcast_to(result, (result.shape[0], len(keys), *result.shape[2:]))
        )
    done = {}
    for key in distinct:
        members = [band for band, k in enumerate(keys) if k == key]
        part = function(image if image.shape[1] == 1 else image[:, members], key)
        for place, band in enumerate(members):
            done[band] = part[:, :1] if image.shape[1] == 1 else part[:, place : place + 1]
    return xp.concat([done[band] for band in range(len(keys))], axis=1)


def _border(pair: Pair) -> str:
    return "wrap" if pair.toolbox else "symmetric"


def upsampled(image: Array, pair: Pair) -> Array:
    """An image on the MS grid [B, C, h, w] on the PAN grid, [B, C, H, W]: every band from where it really lies."""
    border = _border(pair)
    return by_band(image, pair.phase, lambda bands, phase: interpolate(bands, pair.ratio, phase, pair.size, border))


def ms_up(pair: Pair) -> Array:
    """MS on the PAN grid, [B, C, H, W]."""
    return upsampled(pair.ms, pair)


def pointwise(pair: Pair, formula: Callable[..., Array], coarse: Sequence[Array], fine: Sequence[Array]) -> Array:
    """formula(*coarse, *fine) [B, K, H, W] of images on the MS grid, interpolated as `ms_up` does it, and of images on
    the PAN grid; a pixel of the formula's result draws on that pixel only.

    NumPy computes it in strips of rows, which stay in the processor's cache; torch at once.
    """
    if is_torch(pair.pan):
        return formula(*(upsampled(image, pair) for image in coarse), *fine)
    strips = [_strips(image, pair) for image in coarse]
    result = None
    for top in range(0, pair.size[0], STRIP):
        end = min(top + STRIP, pair.size[0])
        part = formula(*(rows(top, end) for rows in strips), *(image[..., top:end, :] for image in fine))
        if result is None:
            result = np.empty((*part.shape[:2], *pair.size), part.dtype)
        result[..., top:end, :] = part
    return result


def maps(pair: Pair, phase: YX) -> tuple[Banded, Banded]:
    """The interpolation of a band of `upsampled`, along rows' axis and along columns' axis."""
    return _maps(pair.ms, pair.ratio, phase, pair.size, _border(pair), "polynomial")


def columns_up(image: Array, pair: Pair) -> Array:
    """An image on the MS grid, interpolated along columns' axis only: [B, C, h, W]."""
    return by_band(image, pair.phase, lambda bands, phase: maps(pair, phase)[1].apply(bands, -1))


def loops() -> Any:
    """The module of the compiled loops where it is loaded (`ops.compiled`), else None."""
    return sys.modules.get("panflow.ops.compiled")


def _strips(image: np.ndarray, pair: Pair) -> Callable[[int, int], np.ndarray]:
    """Rows top to end - 1 of `upsampled`."""
    by_phase = {phase: maps(pair, phase)[0] for phase in set(pair.phase)}
    wide = columns_up(image.astype(np.float64, copy=False), pair)  # as `in_double`

    def rows(top: int, end: int) -> np.ndarray:
        strip = by_band(wide, pair.phase, lambda bands, phase: by_phase[phase].rows(bands, top, end))
        return strip.astype(image.dtype, copy=False)

    return rows


def ms_aligned(pair: Pair) -> Array:
    """MS on its grid with all bands brought to the pair's common phase, [B, C, h, w]."""
    if len(set(pair.phase)) == 1:
        return pair.ms
    common = pair.common_phase

    def shift(ms: Array, phase: YX) -> Array:
        offset = yx((p - c) / r for p, c, r in zip(phase, common, pair.ratio))
        return interpolate(ms, (1.0, 1.0), offset, pair.ms_size)

    return by_band(pair.ms, pair.phase, shift)


def precision(image: Array) -> float:
    """How exactly filters are separated: all that float64 resolves, or what float32 can hold."""
    return 1e-10 if is_double(image) else 1e-5


def sense(image: Array, pair: Pair) -> Array:
    """What the sensor's MS bands see of an image on the PAN grid: MTF low-pass, then MS sampling.

    image [B, C, H, W] or [B, 1, H, W] (seen through every band's MTF) -> [B, C, h, w].
    """
    keys = list(zip(pair.sensor.gains, pair.phase))
    ratio = pair.ratio

    def see(bands: Array, key: tuple) -> Array:
        return decimate(bands, kernels.mtf(key[0], ratio, precision(image)), ratio, key[1], pair.ms_size)

    return by_band(image, keys, see)


def pan_low(pair: Pair, pan: Array | None = None) -> Array:
    """The low-pass of PAN (or of an image on its grid) that each MS band would show, interpolated back, [B, C, H, W].

    The generalised Laplacian pyramid's low-pass: MTF filter, decimation, interpolation [aiazzi2006].
    """
    return upsampled(sense(pair.pan if pan is None else pan, pair), pair)
