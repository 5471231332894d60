"""The default where PAN and MS have nothing in common: no more contrast than there is."""

import numpy as np
import pytest

import panflow
from panflow.data import synthetic
from panflow.sensors import load


@pytest.mark.parametrize("kind", ["another place", "noise"])
def test_pan_that_bands_do_not_follow_is_injected_with_bounded_gain(kind):
    pair = synthetic.scene(192, load("ikonos"), seed=3)
    other = synthetic.scene(192, load("ikonos"), seed=4).pan[0, 0]
    noise = np.random.default_rng(0).normal(other.mean(), other.std(), other.shape)
    pan = {"another place": other, "noise": noise}[kind]
    fused = panflow.sharpen(pan, pair.ms[0], sensor="ikonos")
    contrast = fused.std(axis=(1, 2)) / pair.ms[0].std(axis=(1, 2))
    assert contrast.max() < 8
