"""Back-projection brings what the sensor would see to what it saw, and is as local as it says."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from panflow.data import synthetic
from panflow.ops import back_projection
from panflow.ops.resample import ms_up, sense
from panflow.ops.window import window
from panflow.sensors import load


@pytest.fixture(scope="module")
def pair():
    made = synthetic.scene(256, load("ikonos"), noise=0, phase=(1.25, 2.0))
    return replace(made, pan=made.pan.astype(float), ms=made.ms.astype(float), reference=made.reference.astype(float))


def test_every_step_comes_nearer_to_ms(pair):
    fused, errors = ms_up(pair), []
    for _ in range(4):
        errors.append(np.abs(pair.ms - sense(fused, pair))[..., 4:-4, 4:-4].mean())
        fused = back_projection.project(fused, pair, 1)
    assert all(after < 0.75 * before for before, after in pairwise(errors))


def test_the_truth_stays(pair):
    moved = back_projection.project(pair.reference, pair, 2) - pair.reference
    assert np.abs(moved).max() < 1e-3 * pair.reference.max()


def test_tiles_equal_the_whole(pair):
    whole = back_projection.project(ms_up(pair), pair, 2)
    part = window(pair, 96, 160, 64, 160, 2 * back_projection.halo(pair.ratio))
    found = back_projection.project(ms_up(part), part, 2)
    top, bottom, left, right = part.core
    np.testing.assert_allclose(found[..., top:bottom, left:right], whole[..., 96:160, 64:160], rtol=1e-9)


def test_masked_ms_has_no_say(pair):
    valid = np.ones((1, 1, *pair.ms_size), bool)
    valid[..., 20:30, 20:30] = False
    clean = back_projection.project(ms_up(pair), replace(pair, ms_valid=valid), 2)
    wild = replace(pair, ms=np.where(valid, pair.ms, 1e4), ms_valid=valid)
    np.testing.assert_array_equal(back_projection.project(ms_up(pair), wild, 2), clean)
