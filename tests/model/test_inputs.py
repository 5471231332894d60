"""What networks see of a whole scene: how sharp its MS is against PAN, and what follows from it."""

from dataclasses import replace

import numpy as np
import pytest
from small import BANDWISE, made

from panflow.learned.statistics import Gather
from panflow.ops import kernels
from panflow.ops.resample import decimate, lowpass
from panflow.ops.window import tiles, window

SOFT = kernels.Separable((((0.25, 0.5, 0.25),) * 2,))


def seen(pair, gain: float, truth=None):
    """The pair as a sensor of that MTF gain sees its reference, or another truth."""
    truth = pair.reference if truth is None else truth
    ms = decimate(truth, kernels.mtf(gain, pair.ratio, 1e-5), pair.ratio, pair.phase[0], pair.ms_size)
    pan = pair.reference.mean(1, keepdims=True)
    return replace(pair, ms=ms, pan=pan)


def told(pair, gain: float):
    """The pair of a sensor that claims to have that MTF gain."""
    return replace(pair, sensor=pair.sensor.with_gains([gain] * pair.bands))


def sharpness(pair) -> float:
    return float(np.median(Gather([pair]).finish().sharpness))


def test_sharpness_is_one_where_the_mtf_is_right_and_less_where_truth_is_softer_than_pan(pair):
    assert sharpness(told(seen(pair, 0.3), 0.3)) == pytest.approx(1, abs=0.02)
    soft = sharpness(told(seen(pair, 0.3, lowpass(pair.reference, SOFT)), 0.3))
    softer = sharpness(told(seen(pair, 0.3, lowpass(lowpass(pair.reference, SOFT), SOFT)), 0.3))
    assert softer < soft - 0.01 < 0.98


def test_tiles_tell_what_the_whole_tells(pair):
    whole = Gather([pair]).finish()
    parts = Gather(window(pair, *core, 64) for core in tiles(pair.size, 64)).finish()
    for name in ("sharpness", "fine_gain", "fine_correlation", "weights"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("pan", ["flat", "noise"])
def test_a_pan_that_shows_nothing_of_the_bands_tells_nothing(pair, pan):
    shown = np.full_like(pair.pan, 300.0) if pan == "flat" else np.random.default_rng(0).random(pair.pan.shape) * 500
    scene = replace(pair, pan=shown.astype(pair.pan.dtype))
    assert sharpness(scene) == 1
    fitted = made(BANDWISE).fit([scene])
    assert np.isfinite(fitted(scene)).all()
