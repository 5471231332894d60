"""Which MTF gains a pair is computed with: estimated, the sensor's, or as given."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import panflow
from panflow import sensors
from panflow.data import synthetic
from panflow.errors import InputError
from panflow.ops.mtf import with_mtf
from panflow.pairs import make_pair

GAIN = 0.12
SENSOR = sensors.load("ikonos")  # whose own are 0.26 to 0.29


@pytest.fixture(scope="module")
def pair():
    return replace(synthetic.scene(400, SENSOR.with_gains([GAIN] * 4), seed=3), sensor=SENSOR)


def test_a_scene_that_tells_its_gains_has_them(pair):
    assert np.abs(np.array(with_mtf(pair, "auto").sensor.gains) - GAIN).max() < 0.02


def test_the_estimate_knows_where_ms_lies_and_leaves_the_phase(pair):
    moved = replace(pair, phase=((0.0, 0.0),) * 4)
    found = with_mtf(moved, "auto")
    assert np.abs(np.array(found.sensor.gains) - GAIN).max() < 0.02
    assert found.phase == moved.phase


def test_a_scene_that_does_not_tell_keeps_the_sensors(pair):
    flat = replace(pair, ms=pair.ms * 0 + 100)
    assert with_mtf(flat, "auto").sensor == SENSOR
    assert with_mtf(pair, "sensor").sensor == SENSOR


@pytest.mark.parametrize(
    ("given", "gains"), [(0.2, (0.2,) * 4), ("0.2", (0.2,) * 4), ("0.1,0.2,0.3,0.4", (0.1, 0.2, 0.3, 0.4))]
)
def test_gains_that_are_given_are_taken(pair, given, gains):
    assert with_mtf(pair, given).sensor.gains == gains


@pytest.mark.parametrize("given", ["soft", "0.3,", "1.2", 0, (0.2, 0.3), None])
def test_what_is_no_gain_is_refused(pair, given):
    with pytest.raises(InputError, match="mtf"):
        with_mtf(pair, given)


def test_the_toolbox_knows_no_estimate(pair):
    arrays = make_pair(pair.pan, pair.ms, SENSOR, "toolbox", arithmetic="toolbox")
    assert with_mtf(arrays, "auto").sensor == SENSOR
    assert with_mtf(arrays, 0.2).sensor.gains == (0.2,) * 4


def test_arrays_are_sharpened_and_judged_with_it(pair):
    gains, truth = with_mtf(pair, "auto").sensor.gains, pair.reference

    def sharpened(**options):
        return panflow.sharpen(pair.pan, pair.ms, method="mtf_glp_hpm_r", sensor="ikonos", **options)

    def error(image):
        return float(np.sqrt(np.mean((image - truth) ** 2)))

    def consistency(**options):
        return panflow.assess(truth, pair.pan, pair.ms, sensor="ikonos", indices="r_ergas", **options)["r_ergas"]

    np.testing.assert_allclose(sharpened(), sharpened(mtf=gains), atol=1e-3)
    assert error(sharpened()) < 0.95 * error(sharpened(mtf="sensor"))
    assert consistency() < 0.5 * consistency(mtf="sensor")


def test_numpy_equals_torch(pair):
    tensors = replace(pair, pan=torch.as_tensor(pair.pan), ms=torch.as_tensor(pair.ms))
    assert with_mtf(tensors, "auto").sensor.gains == pytest.approx(with_mtf(pair, "auto").sensor.gains, abs=2e-3)
