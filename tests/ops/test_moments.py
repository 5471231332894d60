"""Moments: NumPy's numbers, merged parts equal the whole, tiles count every pixel once."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from panflow.ops.moments import at_ms, at_pan, measure, sample, total
from panflow.ops.window import tiles, window
from panflow.pairs import make_pair

RNG = np.random.default_rng(5)


def image(height, width, bands=3, seed=0):
    """Correlated planes on a large offset, where a careless sum of squares would lose its digits."""
    x = np.random.default_rng(seed).normal(size=(2, bands, height, width))
    return 1e5 + x + 0.5 * x[:, :1]


def same(a, b, tolerance=1e-10):
    assert np.array_equal(a.count, b.count)
    assert np.allclose(a.mean, b.mean, rtol=tolerance, atol=0)
    assert np.abs(a.cov - b.cov).max() < tolerance * max(np.abs(a.cov).max(), 1)


def test_are_those_of_numpy():
    x = image(13, 17)
    m = measure(x)
    for b in range(2):
        flat = x[b].reshape(3, -1)
        assert np.allclose(m.mean[b], flat.mean(1), rtol=1e-14)
        assert np.allclose(m.cov[b], np.cov(flat), rtol=1e-9)
        assert np.allclose(m.std[b], flat.std(1, ddof=1), rtol=1e-9)
        assert np.allclose(m.second[b], flat @ flat.T / flat.shape[1], rtol=1e-12)


def test_only_valid_pixels_count():
    x = image(9, 11)
    valid = RNG.random((2, 1, 9, 11)) > 0.4
    wrong = np.where(valid, x, -7e9)
    m = measure(wrong, valid)
    for b in range(2):
        flat = x[b][:, valid[b, 0]]
        assert m.count[b] == flat.shape[1]
        assert np.allclose(m.cov[b], np.cov(flat), rtol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.booleans())
def test_merged_parts_are_the_whole(cut, other, masked):
    x = image(13, 13)
    valid = np.random.default_rng(cut).random((2, 1, 13, 13)) > 0.5 if masked else None
    rows = [slice(0, min(cut, other)), slice(min(cut, other), max(cut, other)), slice(max(cut, other), 13)]
    parts = [measure(x[:, :, r], None if valid is None else valid[:, :, r]) for r in rows]
    same(parts[0].merge(parts[1]).merge(parts[2]), measure(x, valid))
    same(parts[2].merge(parts[0].merge(parts[1])), measure(x, valid))


def test_nothing_valid_is_harmless_and_neutral():
    x = image(5, 5)
    nothing = measure(x, np.zeros((2, 1, 5, 5), bool))
    assert (nothing.count == 0).all() and np.isfinite(nothing.cov).all()
    same(nothing.merge(measure(x)), measure(x))


def test_torch_equals_numpy():
    x = image(8, 8)
    valid = RNG.random((2, 1, 8, 8)) > 0.3
    found = measure(torch.from_numpy(x), torch.from_numpy(valid))
    assert np.allclose(found.cov.numpy(), measure(x, valid).cov, rtol=1e-12)


@pytest.mark.parametrize("side", [7, 16, 23])
@pytest.mark.parametrize("phase", ["corner", 2.0, "centre", (-1.3, 2.6)])
def test_tiles_count_every_pixel_of_both_grids_once(side, phase):
    pan, ms = RNG.normal(size=(48, 40)), RNG.normal(size=(2, 12, 10))
    ms[:, 3:5, 2:4] = np.nan
    pair = make_pair(pan, ms, phase=phase)
    parts = [window(pair, *core, 5) for core in tiles(pair.size, side)]
    coarse, fine = total(parts, at_ms(lambda p: p.ms), at_pan(lambda p: p.pan))
    whole = total([pair], at_ms(lambda p: p.ms), at_pan(lambda p: p.pan))
    same(fine, whole[1])
    if phase != (-1.3, 2.6):
        same(coarse, whole[0])
    else:  # MS pixels whose centre lies beside PAN belong to no tile
        assert coarse.count[0] <= whole[0].count[0]


def test_sample_of_a_whole_image_is_all_of_it():
    pan = RNG.normal(size=(30, 20))
    pan[:4] = np.nan
    pair = make_pair(pan, RNG.normal(size=(2, 15, 10)))
    (values,) = sample(pair.pan, pair)
    assert np.array_equal(np.sort(values[0]), np.sort(pan[4:].ravel()))
