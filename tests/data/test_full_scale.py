"""Pairs at full scale: the truth is PAN's, and MS is what known optics make of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from panflow import sensors
from panflow.data import _full_scale, synthetic
from panflow.data._augment import Augment, Ground, valid_corners
from panflow.data._full_scale import FullScale
from panflow.data.observed import Optics, observe
from panflow.ops.mtf_estimation import estimate_mtf
from panflow.ops.resample import sense

EXACT = FullScale(share=1, gain=(0.3, 0.31), gain_error=0, gain_wrong=0, spread=0, apart=0, displaced=0, fringe=0)
EXACT = replace(EXACT, own_pan=1, blur=0, droop=0, pan_noise=0, ms_noise=0, things=0, glints=0, saturated=0, movers=0)
CALM = Optics(spread=0, displaced=0, fringe=0, pan_noise=0, ms_noise=0, movers=0)


@pytest.fixture(scope="module")
def place():
    return synthetic.scene(256, sensors.load("geoeye1"), seed=3, noise=0.0)


@pytest.fixture(scope="module")
def grounds(place):
    bands = np.asarray(place.reference, np.float32)[0]
    return [Ground(bands, np.asarray(place.pan, np.float32)[0], valid_corners(np.ones(bands.shape[1:], bool), 96))]


def drawn(grounds, options, step=0):
    return _full_scale.draw(grounds, Augment(ratios=(4,), curve=(1, 1)), options, 96, 16, 0, step)


def test_ms_is_the_truth_through_the_mtf_that_the_pair_names(grounds):
    pair = drawn(grounds, EXACT)
    seen = sense(pair.reference, pair)[..., 4:-4, 4:-4]
    assert (seen - pair.ms[..., 4:-4, 4:-4]).std() < 0.01 * pair.ms.std()


def test_pan_is_a_mix_of_the_truth_at_its_own_place(grounds):
    pair = drawn(grounds, replace(EXACT, own_pan=1.0))
    for truth, pan in zip(pair.reference.double(), pair.pan.double()):
        columns = torch.cat([truth, torch.ones_like(pan)]).flatten(1).T
        rest = columns @ torch.linalg.lstsq(columns, pan.flatten()[:, None]).solution - pan.flatten()[:, None]
        assert rest.std() < 0.35 * pan.std()  # bands may lack one that PAN sees


def test_a_step_is_drawn_alike_again_and_no_step_like_another(grounds):
    options = FullScale(share=1)
    assert torch.equal(drawn(grounds, options, 5).ms, drawn(grounds, options, 5).ms)
    first, second = drawn(grounds, options, 5), drawn(grounds, options, 6)
    assert first.ms.shape != second.ms.shape or not torch.equal(first.ms, second.ms)


def test_about_the_share_of_batches_is_drawn_at_full_scale():
    share = np.mean([_full_scale.chosen(FullScale(share=0.7), 0, step) for step in range(400)])
    assert 0.62 < share < 0.78


def test_a_calm_sensor_is_the_one_that_is_told(place):
    pair = observe(place, CALM)
    np.testing.assert_allclose(pair.ms, sense(place.reference, pair), rtol=1e-3, atol=1)
    np.testing.assert_array_equal(pair.pan, place.pan)


@pytest.mark.parametrize("stated", [0.5, 1.8])
def test_the_stated_gain_is_off_and_the_pair_shows_the_true_one(place, stated):
    pair = observe(place, Optics(stated=stated, spread=0))
    true = np.mean(place.sensor.gains)
    assert pair.sensor.gains[0] == pytest.approx(stated * true, rel=0.01)
    assert estimate_mtf([pair]).gain == pytest.approx(true, abs=0.06)


def test_two_arrays_lie_apart_as_the_phases_say(place):
    pair = observe(place, replace(CALM, apart=1.0))
    first, last = pair.phase[0], pair.phase[-1]
    assert np.hypot(first[0] - last[0], first[1] - last[1]) == pytest.approx(1, abs=0.1)
    np.testing.assert_allclose(pair.ms, sense(place.reference, pair), rtol=1e-3, atol=1)
