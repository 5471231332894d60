"""FE-HPM: the filter is that of the pair, whatever the sensor's is said to be."""

from dataclasses import replace

import numpy as np
import pytest

from panflow import sensors
from panflow.data import synthetic
from panflow.zoo import load


@pytest.mark.parametrize("gain", [0.1, 0.3, 0.5])
def test_the_filter_is_that_of_ms_interpolated(gain):
    """Interpolation leaves half of the amplitude at the Nyquist frequency of MS."""
    known = sensors.load("worldview3")
    pair = synthetic.scene(320, known.with_gains([gain] * 8), seed=3, shift=(0.4, -0.7))
    taps = load("fe_hpm").fit([replace(pair, sensor=known)]).filters[0].full()
    n = np.arange(len(taps)) - len(taps) // 2
    wave = np.cos(np.pi / 4 * n)
    assert taps.sum() == pytest.approx(1, abs=0.01)
    assert [(taps * wave[:, None]).sum(), (taps * wave).sum()] == pytest.approx([gain / 2] * 2, abs=0.08)


def test_a_scene_softer_than_its_sensor_gets_its_detail():
    known = sensors.load("worldview3")
    pair = replace(synthetic.scene(320, known.with_gains([0.1] * 8), seed=4), sensor=known)

    def error(method):
        return float(np.sqrt(np.mean((load(method).fit([pair])(pair) - pair.reference) ** 2)))

    assert error("fe_hpm") < error("mtf_glp_hpm")
