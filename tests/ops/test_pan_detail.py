"""Consistency with PAN: the mix of the bands has PAN's fine detail, and what is smooth stays."""

import numpy as np
from scipy.ndimage import gaussian_filter

from panflow.ops import pan_detail

RATIO = (4.0, 4.0)


def image(bands, seed, size=64):
    return np.random.default_rng(seed).normal(size=(1, bands, size, size))


def column(*values):
    return np.array(values)[None, :, None, None]


def test_what_pan_has_beyond_the_mix_is_smooth_afterwards():
    fused, pan = image(3, 0), image(1, 1)
    weights, shares = column(0.5, 0.25, 0.5), column(1.0, 1.0, 0.5)  # products sum to 1
    rest = (pan - (weights * fused).sum(1, keepdims=True))[0, 0]
    matched = pan_detail.match(fused, pan, weights, shares, RATIO)
    left = (pan - (weights * matched).sum(1, keepdims=True))[0, 0]
    np.testing.assert_allclose(left, gaussian_filter(rest, 1.5, mode="nearest", truncate=5 / 1.5), atol=1e-12)


def test_a_fused_image_that_mixes_to_pan_is_left_alone():
    fused, weights, shares = image(2, 2), column(0.75, 0.25), column(1.0, 1.0)
    pan = (weights * fused).sum(1, keepdims=True)
    np.testing.assert_allclose(pan_detail.match(fused, pan, weights, shares, RATIO), fused, atol=1e-12)


def test_a_ramp_in_pan_changes_nothing_inside():
    ramp = np.broadcast_to(np.arange(64.0), (1, 1, 64, 64))
    changed = pan_detail.match(np.zeros((1, 1, 64, 64)), ramp, column(1.0), column(1.0), RATIO)
    reach = pan_detail.halo(RATIO)
    assert np.abs(changed[..., reach:-reach]).max() < 1e-9


def test_no_pixel_beyond_the_halo_has_a_say():
    pan, reach = np.zeros((1, 1, 64, 64)), pan_detail.halo(RATIO)
    pan[..., 32, 32] = 1
    changed = pan_detail.match(np.zeros((1, 1, 64, 64)), pan, column(1.0), column(1.0), RATIO)
    rows, columns = np.nonzero(changed[0, 0])
    assert max(np.abs(rows - 32).max(), np.abs(columns - 32).max()) <= reach
