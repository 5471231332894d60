"""Banded maps against the sum that defines them, on every border, in NumPy and torch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from panflow.ops.banded import Banded, apply_terms


def plainly(start, weights, line, border):
    """The definition, one output after the other."""
    reach = 200
    padded = np.pad(line, reach, mode=border)
    return np.array([w @ padded[s + reach : s + reach + len(w)] for s, w in zip(start, weights)])


def some_map(seed, size, outputs, taps, border):
    rng = np.random.default_rng(seed)
    start = np.sort(rng.integers(-taps, size, outputs))
    return start, rng.normal(size=(outputs, taps)), border


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 1000),
    st.integers(3, 40),
    st.integers(1, 300),
    st.integers(1, 9),
    st.sampled_from(["edge", "symmetric", "wrap"]),
)
def test_apply_is_the_weighted_sum(seed, size, outputs, taps, border):
    start, weights, border = some_map(seed, size, outputs, taps, border)
    line = np.random.default_rng(seed + 1).normal(size=size)
    banded = Banded(start, weights, size, border)
    expected = plainly(start, weights, line, border)
    image = np.stack([line, -2 * line])[None]
    assert np.abs(banded.apply(image, -1)[0, 0] - expected).max() < 1e-12
    assert np.abs(banded.apply(image.mT, -2)[0, :, 1] + 2 * expected).max() < 1e-12


@pytest.mark.parametrize("border", ["edge", "symmetric", "wrap"])
def test_torch_equals_numpy(border):
    start, weights, border = some_map(0, 30, 90, 7, border)
    image = np.random.default_rng(1).normal(size=(2, 3, 30, 30))
    banded = Banded(start, weights, 30, border)
    for axis in (-1, -2):
        found = banded.apply(torch.from_numpy(image), axis)
        assert isinstance(found, torch.Tensor) and found.dtype == torch.float64
        assert np.abs(found.numpy() - banded.apply(image, axis)).max() < 1e-12
    assert banded.apply(image.astype(np.float32), -1).dtype == np.float32


def test_one_map_serves_both_types_and_both_axes():
    """Matrices are kept per type: what float32 left behind must not serve float64."""
    start, weights, border = some_map(3, 20, 20, 5, "edge")
    image = np.random.default_rng(1).normal(size=(1, 1, 20, 20))
    banded = Banded(start, weights, 20, border)
    first = banded.apply(image, -1)
    banded.apply(image.astype(np.float32), -1)
    assert np.array_equal(banded.apply(image, -1), first)


def test_separable_terms_add_up_whatever_the_order_of_axes():
    image = np.random.default_rng(1).normal(size=(1, 2, 12, 25))
    maps = [
        (
            Banded(*some_map(k, 12, 7, 3, "edge")[:2], 12, "edge"),
            Banded(*some_map(9 + k, 25, 31, 4, "wrap")[:2], 25, "wrap"),
        )
        for k in (0, 1)
    ]
    expected = sum(rows.apply(columns.apply(image, -1), -2) for rows, columns in maps)
    assert np.abs(apply_terms(image, maps) - expected).max() < 1e-12
