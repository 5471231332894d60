"""Batches of pairs to learn from: tiles of sharp images, seen by sensors that are drawn at random.

Everything is a function of (seed, step): the same step of the same run is the same batch, on any machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from panflow import sensors
from panflow.ops import kernels
from panflow.ops.resample import decimate
from panflow.settings import Amount, Range, Share
from panflow.types import Band, Pair, Sensor

Blur = Annotated[float, Range(0, 8)]  # pixels
MARGIN = 3  # pixels around a tile that PAN is mixed from, for its shift
STEP = 8  # phases are multiples of 1/STEP of a pixel, so that operators can be kept
EVERYWHERE = 0.95  # MTF gain of an MS that was sampled without blur, as some public sets were


@dataclass(frozen=True)
class Ground:
    """What tiles are cut from: reference [C, H, W], light [K, H, W] that PAN is mixed of (PAN itself where K = 1,
    else the bands), and corners [N, 2], the top left pixels of tiles without nodata."""

    reference: np.ndarray
    light: np.ndarray
    corners: np.ndarray
    weight: float = 1.0


@dataclass(frozen=True)
class Augment:
    """How sensors are drawn. Pairs are ranges; a `share` is the probability that something happens to an image.

    ratios, bands: what a batch may have (repeat a value to make it likelier). gain: the MTF gain at Nyquist that
    the pair's sensor states; spread: how far the true one is off, in a share of the batches; aliased: share of batches
    without any blur, clear: of those whose gain is stated to be more, up to none. shift, fringe: displacement of PAN,
    and of the bands against each other, in pixels. curve: exponent of PAN's response. soft, soft_pan: standard
    deviation in pixels, at most, of a blur of the truth and of PAN. pan_noise, ms_noise: in standard deviations of
    the image, at most. haze: offset in standard deviations, at most. mixed: share of bands that are blends of the
    ground's bands.
    """

    ratios: Annotated[tuple[Annotated[int, Range(1, 16)], ...], Range(1, 1000)] = (4, 4, 4, 4, 2, 3)
    bands: Annotated[tuple[Annotated[int, Range(1, 256)], ...], Range(1, 1000)] = (3, 4, 4, 4, 6, 8)
    gain: tuple[Share, Share] = (0.2, 0.4)
    spread: Share = 0.06
    spread_share: Share = 1.0
    aliased: Share = 0.05
    clear: Share = 0.0
    shift: Blur = 0.6
    shift_share: Share = 0.5
    fringe: Blur = 0.4
    fringe_share: Share = 0.3
    curve: tuple[Annotated[float, Range(0.1, 10)], Annotated[float, Range(0.1, 10)]] = (0.8, 1.25)
    pan_noise: Amount = 0.03
    ms_noise: Amount = 0.01
    soft: Blur = 0.0
    soft_share: Share = 0.5
    soft_pan: Blur = 0.0
    soft_pan_share: Share = 0.5
    haze: Amount = 4.0
    mixed: Share = 0.25


def valid_corners(valid: np.ndarray, tile: int) -> np.ndarray:
    """Corners [N, 2] of the tiles of which, with their margin, at least 98 % of the pixels are valid [H, W]."""
    side = tile + 2 * MARGIN
    if min(valid.shape) < side:
        return np.zeros((0, 2), dtype=int)
    total = np.pad(valid.astype(np.int64), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    count = total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    return np.argwhere(count >= 0.98 * side * side)


def sensor_of(gain: float, bands: int, ratio: float) -> Sensor:
    """A sensor without a name whose bands all have one MTF gain."""
    generic = sensors.fit_bands(sensors.load("generic"), bands)
    return replace(generic, ratio=ratio, bands=tuple(Band(b.name, b.wavelength, b.width, gain) for b in generic.bands))


def draw(
    grounds: Sequence[Ground], options: Augment, tile: int, folded: int, seed: int, step: int, batch: int = 0
) -> Pair:
    """The batch of a step: so many images, or `folded` bands in all; tiles of about `tile` pixels, with reference,
    float32."""
    rng = np.random.default_rng((seed, step))
    ratio, bands = int(rng.choice(options.ratios)), int(rng.choice(options.bands))
    count, size = batch or max(1, folded // bands), tile - tile % ratio
    weights = np.array([g.weight for g in grounds])
    chosen = [grounds[k] for k in rng.choice(len(grounds), count, p=weights / weights.sum())]
    tiles = [_tile(ground, options, bands, size, rng) for ground in chosen]
    reference = torch.from_numpy(np.stack([t[0] for t in tiles]))
    reference = _soften(reference, options.soft, options.soft_share, rng)
    pan = _soften(_pan([t[1] for t in tiles], options, rng), options.soft_pan, options.soft_pan_share, rng)

    clear = rng.random() < options.clear
    gain = round(float(rng.uniform(*((options.gain[1], EVERYWHERE) if clear else options.gain))), 2)
    off = rng.uniform(-options.spread, options.spread) * (rng.random() < options.spread_share)
    true = round(float(np.clip(gain + off, 0.05, EVERYWHERE)), 2)
    true = EVERYWHERE if rng.random() < options.aliased else true
    phase = _phase(ratio, rng)
    small = (size // ratio, size // ratio)
    ms = decimate(reference, kernels.mtf(true, (ratio, ratio), 1e-5), (ratio, ratio), phase, small)

    noise = torch.Generator().manual_seed(int(rng.integers(2**62)))
    pan = _noisy(pan, options.pan_noise, rng, noise)
    ms = _noisy(ms, options.ms_noise, rng, noise)
    sensor = sensor_of(gain, bands, ratio)
    return Pair(pan, ms, (float(ratio),) * 2, (phase,) * bands, sensor, reference=reference)


def band_mix(count: int, bands: int, share: float, rng: np.random.Generator, dtype: type) -> np.ndarray:
    """What each band is mixed of, [bands, count]: one of the ground's bands in random order; a `share` of them, and
    those beyond `count`, are blends."""
    order = np.concatenate([rng.permutation(count) for _ in range(-(-bands // count))])[:bands]
    mix = np.eye(count, dtype=dtype)[order]
    for row in np.flatnonzero((rng.random(bands) < share) | (np.arange(bands) >= count)):
        mix[row] = 0.5 * mix[row] + 0.5 * rng.dirichlet(np.ones(count))
    return mix


def _tile(ground: Ground, options: Augment, bands: int, size: int, rng: np.random.Generator) -> tuple:
    """Reference [bands, size, size] and light [K, size + margins ...] of a random place, turned and blended."""
    top, left = ground.corners[rng.integers(len(ground.corners))]
    side = size + 2 * MARGIN
    light = ground.light[:, top : top + side, left : left + side]
    reference = ground.reference[:, top + MARGIN : top + MARGIN + size, left + MARGIN : left + MARGIN + size]
    turn, flip = int(rng.integers(4)), bool(rng.integers(2))
    reference, light = (np.rot90(x, turn, (1, 2)) for x in (reference, light))
    if flip:
        reference, light = reference[:, :, ::-1], light[:, :, ::-1]
    reference = np.tensordot(band_mix(len(reference), bands, options.mixed, rng, np.float32), reference, 1)
    offset = options.haze * rng.uniform(-0.5, 1, (bands, 1, 1)) * reference.std((1, 2), keepdims=True)
    low = reference.min((1, 2), keepdims=True)
    return (reference + np.maximum(offset, -low)).astype(np.float32), light


def _soften(images: Tensor, most: float, share: float, rng: np.random.Generator) -> Tensor:
    """Images [B, C, H, W], some of them blurred by a Gaussian of at most so many pixels."""
    count, bands = images.shape[:2]
    sigma = rng.uniform(0, most, count) * (rng.random(count) < share)
    if not sigma.any():
        return images
    n = np.arange(-MARGIN, MARGIN + 1)
    bell = np.exp(-0.5 * (n / np.maximum(sigma, 1e-3)[:, None]) ** 2)
    taps = torch.from_numpy((bell / bell.sum(1, keepdims=True)).astype(np.float32)).repeat_interleave(bands, 0)[:, None]
    image = pad(images.flatten(0, 1)[None], (MARGIN,) * 4, mode="replicate")
    image = conv2d(image, taps[:, :, :, None], groups=count * bands)
    return conv2d(image, taps[:, :, None, :], groups=count * bands)[0].reshape(images.shape)


def _pan(light: list[np.ndarray], options: Augment, rng: np.random.Generator) -> Tensor:
    """PAN [B, 1, H, W]: light mixed and displaced in one grouped convolution, then bent a little."""
    count, most = len(light), max(len(x) for x in light)
    stacked = np.zeros((count, most, *light[0].shape[1:]), np.float32)
    taps = np.zeros((count, most, 2 * MARGIN + 1, 2 * MARGIN + 1), np.float32)
    n = np.arange(-MARGIN, MARGIN + 1)
    for b, x in enumerate(light):
        k = len(x)
        stacked[b, :k] = x
        weights = rng.dirichlet(np.full(k, rng.choice([0.5, 1.0, 3.0])))
        common = rng.uniform(-options.shift, options.shift, 2) * (rng.random() < options.shift_share)
        single = rng.uniform(-options.fringe, options.fringe, (k, 2)) * (rng.random() < options.fringe_share)
        rows, columns = np.moveaxis(kernels.cubic(n - (common + single)[:, :, None]), 1, 0)
        taps[b, :k] = weights[:, None, None] * rows[:, :, None] * columns[:, None, :]
    pan = conv2d(torch.from_numpy(stacked).flatten(0, 1)[None], torch.from_numpy(taps), groups=count)[0][:, None]
    low, high = pan.amin((1, 2, 3), keepdim=True), pan.amax((1, 2, 3), keepdim=True)
    span = (high - low).clamp_min(1e-6)
    curve = torch.tensor(rng.uniform(*options.curve, (count, 1, 1, 1)), dtype=pan.dtype)
    return low + span * ((pan - low) / span).clamp(0, 1) ** curve


def _phase(ratio: int, rng: np.random.Generator) -> tuple[float, float]:
    """Shared corners, the toolbox's phase, shared centres, or anything within a pixel of MS."""
    named = [(ratio - 1) / 2, ratio / 2, 0.0]
    if rng.random() < 0.5:
        return (named[rng.integers(3)],) * 2
    y, x = rng.integers(-STEP // 2, ratio * STEP, 2) / STEP
    return float(y), float(x)


def _noisy(image: Tensor, most: float, rng: np.random.Generator, noise: torch.Generator) -> Tensor:
    level = torch.tensor(rng.uniform(0, most, (len(image), 1, 1, 1)), dtype=image.dtype)
    return image + level * image.std((2, 3), keepdim=True) * torch.randn(image.shape, generator=noise)
