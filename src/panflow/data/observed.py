"""Pairs at full scale with a truth as sharp as PAN, seen by an MS sensor that is described only roughly.

Reduced resolution (Wald's protocol) shows how well a method returns what the MS sensor saw; this shows how well it
returns the ground at PAN's resolution, which is what users look at. What makes real pairs hard is in it: bands whose
MTF is not the nominal one, displaced against PAN and against each other, aliased, noisy, saturated, and things
that moved between the two exposures.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from panflow.ops.resample import sense
from panflow.types import Array, Pair, Sensor

LEAST, GREATEST = 0.02, 0.95  # MTF gains that are stated, at least and at most


@dataclass(frozen=True)
class Optics:
    """What an MS sensor does that its description does not say.

    stated: the MTF gain that the pair's sensor names over the true one. spread: standard deviation of the bands' gains
    around the sensor's, in logarithms. displaced, fringe: standard deviation of what the phases do not say, of all
    bands and of each, in PAN pixels. apart: distance of the second half of the bands, as the phases say, in PAN pixels.
    pan_noise, ms_noise: standard deviations, in shares of full scale. movers: in a million PAN pixels.
    """

    stated: float = 1.0
    spread: float = 0.06
    displaced: float = 0.15
    fringe: float = 0.2
    apart: float = 0.0
    pan_noise: float = 0.002
    ms_noise: float = 0.003
    movers: float = 100.0


def observe(truth: Pair, optics: Optics, seed: int = 0) -> Pair:
    """The pair that sensors would deliver of a truth with `reference` and `pan` [B, ., H, W], which it keeps.

    MS is seen through MTF gains around those of the truth's sensor, at phases around the truth's; the sensor and the
    phases of the answer are those that are stated. Values are counts, cut at full scale.
    """
    assert truth.reference is not None, "a truth has a reference"
    rng, top = np.random.default_rng(seed), float(2**truth.sensor.bits - 1)
    gains = np.array(truth.sensor.gains) * np.exp(optics.spread * rng.standard_normal(truth.bands))
    second = np.round(optics.apart * _direction(rng) * 8) / 8
    arrays = (np.arange(truth.bands) >= truth.bands / 2)[:, None] * second
    phases = np.asarray(truth.phase) + arrays
    stray = optics.displaced * rng.standard_normal(2) + optics.fringe * rng.standard_normal((truth.bands, 2))
    true = replace(truth, sensor=_with_gains(truth.sensor, gains), phase=_phases(phases + stray))
    ms = sense(_moved(truth.reference, optics.movers, rng), true)
    ms = ms + optics.ms_noise * top * rng.standard_normal(ms.shape)
    pan = truth.pan + optics.pan_noise * top * rng.standard_normal(truth.pan.shape)
    stated = _with_gains(truth.sensor, gains.mean() * np.ones(truth.bands) * optics.stated)
    seen = {"pan": np.clip(pan, 0, top), "ms": np.clip(ms, 0, top), "sensor": stated, "phase": _phases(phases)}
    return replace(truth, **{name: _alike(image, truth.pan) for name, image in seen.items()})


def _alike(value: Array, image: Array) -> Array:
    return value.astype(image.dtype) if isinstance(value, np.ndarray) else value


def _direction(rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([np.sin(angle), np.cos(angle)])


def _with_gains(sensor: Sensor, gains: np.ndarray) -> Sensor:
    return sensor.with_gains(round(float(g), 4) for g in np.clip(gains, LEAST, GREATEST))


def _phases(phases: np.ndarray) -> tuple[tuple[float, float], ...]:
    return tuple((round(float(y), 4), round(float(x), 4)) for y, x in phases)


def _moved(truth: np.ndarray, number: float, rng: np.random.Generator) -> np.ndarray:
    """The truth when MS was exposed: small windows, as large as cars, have gone a few pixels on."""
    moved, (height, width) = np.array(truth), truth.shape[-2:]
    for _ in range(rng.poisson(number * height * width / 1e6)):
        h, w = rng.integers(4, 13, 2)
        y, x = rng.integers(6, height - 18), rng.integers(6, width - 18)
        dy, dx = rng.integers(-5, 6, 2)
        moved[..., y + dy : y + dy + h, x + dx : x + dx + w] = truth[..., y : y + h, x : x + w]
    return moved
