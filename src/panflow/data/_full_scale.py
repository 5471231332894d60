"""Batches of pairs at full scale: truth as sharp as PAN, seen by an MS whose optics are described only roughly.

What real pairs show is in them: an MTF drawn widely and stated with an error, bands displaced against PAN and against
each other, aliasing, noise, glints, saturation, things that move between the exposures. Everything is a function of
(seed, step), as in `_augment`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from panflow.data._augment import MARGIN, STEP, Augment, Ground, _phase, band_mix, sensor_of
from panflow.types import Pair

EDGE = 6  # pixels around a tile that MS sees and nobody learns from
GREATEST = 0.93  # MTF gain, beyond which a Gaussian is no blur


@dataclass(frozen=True)
class FullScale:
    """How pairs of given optics are drawn. A share is the probability that something happens to an image.

    share: of the batches that are drawn here, not by `Augment`.
    gain: range of the MTF gain at Nyquist, even in the width of the blur. gain_error: standard deviation of what the
    pair's sensor says of it; gain_wrong: share of batches in which that is wrong by a factor of up to `wrong`.
    spread: standard deviation of the bands' blur around the common one, in logarithms.
    apart: share of batches with bands in two arrays, up to a PAN pixel apart, as the phases say. displaced, fringe:
    standard deviation of what the phases do not say, of all bands and of each, in PAN pixels.
    own_pan: share of images whose PAN is a mix of the truth's bands where the ground has a PAN.
    blur: standard deviation of a Gaussian over truth and PAN alike, in pixels, at most.
    droop: share of images whose PAN has up to `drooping` less contrast than the truth in middle frequencies, as where
    MS was sharpened on the ground.
    pan_noise, ms_noise: in standard deviations of the image, at most.
    things (small, of any colour), glints, saturated, movers: shares of images.
    """

    share: float = 0.0
    gain: tuple[float, float] = (0.03, 0.9)
    gain_error: float = 0.02
    gain_wrong: float = 0.1
    wrong: float = 1.5
    spread: float = 0.06
    apart: float = 0.25
    displaced: float = 0.15
    fringe: float = 0.1
    own_pan: float = 0.3
    blur: float = 0.8
    droop: float = 0.35
    drooping: float = 0.25
    pan_noise: float = 0.008
    ms_noise: float = 0.015
    things: float = 0.25
    glints: float = 0.25
    saturated: float = 0.2
    movers: float = 0.2


def chosen(options: FullScale, seed: int, step: int) -> bool:
    """Whether the batch of a step is drawn here."""
    return bool(np.random.default_rng((seed, step, 3)).random() < options.share)


def draw(
    grounds: Sequence[Ground],
    augment: Augment,
    options: FullScale,
    tile: int,
    folded: int,
    seed: int,
    step: int,
    batch: int = 0,
) -> Pair:
    """The batch of a step: so many images, or `folded` bands in all; tiles of about `tile` pixels, with reference,
    float32."""
    rng = np.random.default_rng((seed, step))
    ratio, bands = int(rng.choice(augment.ratios)), int(rng.choice(augment.bands))
    count = batch or max(1, folded // bands)
    size = tile + 2 * MARGIN - 2 * EDGE
    size -= size % ratio
    weights = np.array([g.weight for g in grounds])
    places = [grounds[k] for k in rng.choice(len(grounds), count, p=weights / weights.sum())]
    tiles = [_tile(place, augment, options, bands, size + 2 * EDGE, rng) for place in places]
    truth, pan = (torch.from_numpy(np.stack(images)) for images in zip(*tiles))

    sigma = rng.uniform(0, options.blur, (count, 1)) * (rng.random((count, 1)) < 0.5)
    truth, pan = _seen(truth, sigma), _drooped(_seen(pan, sigma), options, rng)
    moved = _moved(truth, options.movers, rng)

    narrow, wide = (np.sqrt(-2 * np.log(g)) for g in reversed(options.gain))
    true = float(np.exp(-0.5 * rng.uniform(narrow, wide) ** 2))  # even in the width of the blur
    factor = np.exp(rng.uniform(-1, 1) * np.log(options.wrong)) if rng.random() < options.gain_wrong else 1.0
    stated = round(float(np.clip(true * factor + rng.normal(0, options.gain_error), options.gain[0], GREATEST)), 2)
    blur = ratio * np.sqrt(-2 * np.log(true)) / np.pi * np.exp(rng.normal(0, options.spread, (count, bands)))
    phases = _phases(ratio, bands, options.apart, rng)
    stray = rng.normal(0, options.displaced, (count, 1, 2)) + rng.normal(0, options.fringe, (count, bands, 2))
    small = size // ratio
    ms = _sampled(moved, blur, np.asarray(phases) + EDGE + stray, ratio, small)

    inside = (..., slice(EDGE, EDGE + size), slice(EDGE, EDGE + size))
    reference, pan = truth[inside].contiguous(), pan[inside].contiguous()
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    pan = _noisy(pan, options.pan_noise, 1, rng, generator)
    ms = _noisy(ms, options.ms_noise, bands, rng, generator)
    reference, pan, ms = _clipped(reference, pan, ms, options.saturated, rng)
    sensor = sensor_of(stated, bands, ratio)
    return Pair(pan, ms, (float(ratio),) * 2, phases, sensor, reference=reference)


def _tile(
    ground: Ground, augment: Augment, options: FullScale, bands: int, side: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Truth [bands, side, side] and PAN [1, side, side] of a random place, turned and blended."""
    top, left = ground.corners[rng.integers(len(ground.corners))]
    window = (..., slice(top, top + side), slice(left, left + side))
    truth, light = ground.reference[window], ground.light[window]
    turn, flip = int(rng.integers(4)), bool(rng.integers(2))
    truth, light = (np.rot90(x, turn, (1, 2)) for x in (truth, light))
    if flip:
        truth, light = truth[:, :, ::-1], light[:, :, ::-1]
    same = ground.reference is ground.light
    truth = np.array(truth, np.float32)
    light = truth if same else np.array(light, np.float32)
    if rng.random() < options.things:
        truth, light = _things(truth, light, rng)
    if rng.random() < options.glints:
        truth, light = _glints(truth, light, rng)
    if len(light) > 1 or rng.random() < options.own_pan:
        light = truth if len(light) == 1 else light
        share = rng.dirichlet(np.full(len(light), rng.choice([0.5, 1.0, 3.0])))
        light = np.tensordot(share, light, 1)[None]
    low, high = light.min(), light.max()
    span = max(high - low, 1e-6)
    pan = low + span * ((light - low) / span) ** rng.uniform(*augment.curve)
    truth = np.tensordot(band_mix(len(truth), bands, augment.mixed, rng, np.float64), truth, 1)
    offset = augment.haze * rng.uniform(-0.5, 1, (bands, 1, 1)) * truth.std((1, 2), keepdims=True)
    truth = truth + np.maximum(offset, -truth.min((1, 2), keepdims=True))
    return truth.astype(np.float32), pan.astype(np.float32)


def _things(truth: np.ndarray, light: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rectangles as small as cars and as large as roofs, each of another colour."""
    side, bands = truth.shape[1], len(truth)
    images = [truth.copy(), light.copy()]
    middle, spread = ([f(x, axis=(1, 2)) for x in images] for f in (np.mean, np.std))
    grid = np.arange(side, dtype=np.float32)
    for _ in range(int(rng.integers(3, 25))):
        across, along = rng.uniform(0.8, 3), rng.uniform(1, 10 if rng.random() < 0.3 else 4)
        (y, x), angle = rng.uniform(0, side, 2), rng.uniform(0, np.pi)
        c, s = np.cos(angle), np.sin(angle)
        u = np.abs(c * (grid - x)[None, :] + s * (grid - y)[:, None])
        v = np.abs(c * (grid - y)[:, None] - s * (grid - x)[None, :])
        cover = np.clip(along + 0.5 - u, 0, 1) * np.clip(across + 0.5 - v, 0, 1)
        colour = rng.normal(0, 1) + rng.normal(0, 1.2, bands)
        seen = rng.dirichlet(np.ones(bands)) @ colour
        for k, values in enumerate((colour, colour if len(light) == bands else np.full(len(light), seen))):
            value = np.maximum(middle[k] + 1.2 * values * spread[k], images[k].min((1, 2)))
            images[k] += cover * (value[:, None, None].astype(np.float32) - images[k])
    return images[0], images[0] if light is truth else images[1]


def _glints(truth: np.ndarray, light: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A few small things that shine, alike in all bands."""
    cover, side = np.zeros(truth.shape[1:], np.float32), truth.shape[1]
    for _ in range(int(rng.integers(1, 13))):
        height, width = rng.integers(1, 5, 2)
        y, x = rng.integers(0, side - 5, 2)
        cover[y : y + height, x : x + width] = rng.uniform(0.3, 1)
    strength = rng.uniform(0.5, 3)

    def shine(image: np.ndarray) -> np.ndarray:
        high, low = image.max((1, 2), keepdims=True), image.min((1, 2), keepdims=True)
        tint = rng.uniform(0.85, 1.15, (len(image), 1, 1))
        return (image * (1 - cover) + cover * (image + strength * tint * (high - low))).astype(np.float32)

    tinted = shine(truth)
    return tinted, tinted if light is truth else shine(light)


def _moved(truth: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """What MS sees: in some images a few small windows have gone a few pixels on."""
    moved, side = truth.clone(), truth.shape[-1]
    for member in np.flatnonzero(rng.random(len(truth)) < share):
        for _ in range(int(rng.integers(1, 5))):
            height, width = rng.integers(3, 11, 2)
            y, x = rng.integers(6, side - 18, 2)
            dy, dx = rng.integers(-5, 6, 2)
            moved[member, :, y + dy : y + dy + height, x + dx : x + dx + width] = truth[
                member, :, y : y + height, x : x + width
            ]
    return moved


def _phases(ratio: int, bands: int, apart: float, rng: np.random.Generator) -> tuple[tuple[float, float], ...]:
    """Of every band; some sensors have two arrays that lie apart."""
    y, x = _phase(ratio, rng)
    second = rng.integers(-STEP, STEP + 1, 2) / STEP * (rng.random() < apart)
    member = rng.integers(0, 2, bands)
    return tuple((float(y + k * second[0]), float(x + k * second[1])) for k in member)


def _seen(image: Tensor, sigma: np.ndarray) -> Tensor:
    """Images [B, C, H, W] through Gaussians [B, 1] in pixels."""
    if not sigma.any():
        return image
    spectrum, (fy, fx) = torch.fft.rfft2(image), _frequencies(image.shape[-1])
    width = torch.from_numpy(sigma.astype(np.float32))[..., None, None]
    return torch.fft.irfft2(spectrum * torch.exp(-2 * (np.pi * width) ** 2 * (fy**2 + fx**2)), s=image.shape[-2:])


def _drooped(pan: Tensor, options: FullScale, rng: np.random.Generator) -> Tensor:
    """PAN [B, 1, H, W], in some images with less contrast in two octaves or so."""
    depth, middle = (
        rng.uniform(0, options.drooping, len(pan)),
        np.exp(rng.uniform(np.log(0.02), np.log(0.09), len(pan))),
    )
    depth *= rng.random(len(pan)) < options.droop
    if not depth.any():
        return pan
    fy, fx = _frequencies(pan.shape[-1])
    octaves = torch.log2((fy**2 + fx**2).sqrt().clamp_min(1e-4))
    deep, place = (torch.from_numpy(x.astype(np.float32))[:, None, None, None] for x in (depth, np.log2(middle)))
    response = 1 - deep * torch.exp(-0.5 * (octaves - place) ** 2)
    return torch.fft.irfft2(torch.fft.rfft2(pan) * response, s=pan.shape[-2:])


def _sampled(truth: Tensor, blur: np.ndarray, start: np.ndarray, ratio: int, small: int) -> Tensor:
    """Images [B, C, side, side] through Gaussians [B, C], at `start` [B, C, 2] + ratio x 0..small - 1."""
    side = truth.shape[-1]
    fy, fx = _frequencies(side)
    whole = np.floor(start.min((0, 1))).astype(int).clip(0)
    width = torch.from_numpy(blur.astype(np.float32))[..., None, None]
    dy, dx = (torch.from_numpy((start[..., k] - whole[k]).astype(np.float32))[..., None, None] for k in (0, 1))
    response = torch.exp(-2 * (np.pi * width) ** 2 * (fy**2 + fx**2))
    turn = torch.polar(response, 2 * np.pi * (fy * dy + fx * dx))
    seen = torch.fft.irfft2(torch.fft.rfft2(truth) * turn, s=(side, side))
    rows, columns = ((w + ratio * np.arange(small)) % side for w in whole)
    return seen[..., torch.from_numpy(rows)[:, None], torch.from_numpy(columns)]


def _frequencies(side: int) -> tuple[Tensor, Tensor]:
    return torch.fft.fftfreq(side)[:, None], torch.fft.rfftfreq(side)[None, :]


def _noisy(image: Tensor, most: float, bands: int, rng: np.random.Generator, noise: torch.Generator) -> Tensor:
    level = torch.from_numpy(rng.uniform(0, most, (len(image), bands, 1, 1)).astype(np.float32))
    return image + level * image.std((2, 3), keepdim=True) * torch.randn(image.shape, generator=noise)


def _clipped(
    reference: Tensor, pan: Tensor, ms: Tensor, share: float, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """All three, in some images up to where the sensor is saturated."""
    at = torch.from_numpy(np.where(rng.random(len(pan)) < share, rng.uniform(0.97, 0.999, len(pan)), 1.0))

    def top(image: Tensor) -> Tensor:
        flat = image.flatten(2)
        return torch.stack([torch.quantile(x, float(q), dim=-1) for x, q in zip(flat, at)])[..., None, None]

    highest = top(reference)
    ceiling = torch.where((at < 1)[:, None, None, None], highest, torch.maximum(highest, ms.amax((2, 3), keepdim=True)))
    return torch.minimum(reference, ceiling), torch.minimum(pan, top(pan)), torch.minimum(ms, ceiling)
