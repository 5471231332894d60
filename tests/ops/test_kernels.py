"""Kernels: the toolbox's numbers, and what an interpolating function and a low-pass must be."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panflow.ops import kernels
from panflow.ops.kernels import TAPS

SENSORS = ("QB", "IKONOS", "GeoEye1", "WV4", "WV2", "WV3")
N = np.arange(TAPS) - TAPS // 2
# taps at radius exactly 20 fall in or out of the toolbox's window by rounding, 1.5e-10 (golden.md, section 5)
DEFINED = N[:, None] ** 2 + N[None, :] ** 2 != (TAPS // 2) ** 2


@pytest.fixture(scope="module")
def blocks(shared):
    return shared / "golden/classical/blocks"


@pytest.fixture(scope="module")
def recorded(blocks):
    return np.load(blocks / "kernels.npz")


@pytest.fixture(scope="module")
def gains(blocks):
    return json.loads((blocks / "mtf_gains.json").read_text())


def assert_kernel(found, expected):
    assert np.abs(found - expected)[DEFINED].max() < 1e-12
    assert np.abs(found - expected).max() < 2e-10


@pytest.mark.parametrize("sensor", SENSORS)
def test_mtf_filters_of_the_bands(sensor, recorded, gains):
    expected = recorded[f"kernel_ms_{sensor}"]
    for band, gain in enumerate(gains["ms"][sensor]):
        assert_kernel(kernels.gaussian_window_design(gain, (4.0, 4.0)), expected[..., band])


@pytest.mark.parametrize("sensor", [*SENSORS, "none"])
def test_mtf_filters_of_pan(sensor, recorded, gains):
    found = kernels.gaussian_window_design(gains["pan"][sensor], (4.0, 4.0))
    assert_kernel(found, recorded[f"kernel_pan_{sensor}"])


def test_mtf_filters_at_ratio_2(recorded, gains):
    for band, gain in enumerate(gains["ms"]["WV2"]):
        found = kernels.gaussian_window_design(gain, (2.0, 2.0))
        assert_kernel(found, recorded["kernel_ms_WV2_ratio2"][..., band])


def test_generic_lowpass(recorded):
    expected = recorded["kernel_lpgauss_ratio4"]
    assert_kernel(kernels.gaussian_window_design(0.3, (4.0, 4.0), points=TAPS), expected)
    assert np.abs(kernels.generic_lowpass((4.0, 4.0)).full() - expected).max() < 1e-9  # as a separable sum


@given(st.floats(0.05, 0.6), st.floats(1.5, 8), st.floats(1.5, 8))
def test_separable_sum_is_the_filter(gain, rows, columns):
    design = kernels.gaussian_window_design(gain, (rows, columns))
    separable = kernels.separate(design, 1e-10)
    assert separable.radius == TAPS // 2
    assert np.abs(separable.full() - design).max() < 1e-9 * design.max()


@pytest.mark.parametrize("gain", [0.0, 1.0, -0.1])
def test_impossible_gain_is_refused(gain):
    with pytest.raises(ValueError, match="between 0 and 1"):
        kernels.gaussian_window_design(gain, (4.0, 4.0))


def test_interpolating_function_is_one_at_zero_and_zero_at_other_samples():
    assert np.array_equal(kernels.interpolating(np.arange(-12.0, 13.0)), np.eye(25)[12])


@given(st.floats(-0.5, 0.5), st.integers(0, 3))
def test_interpolating_function_keeps_polynomials(offset, degree):
    n = np.arange(-12, 13)
    assert abs(kernels.interpolating(n - offset) @ (n / 4.0) ** degree - (offset / 4.0) ** degree) < 1e-8


@given(st.floats(-12, 12))
def test_interpolating_function_is_even(offset):
    assert abs(kernels.interpolating(np.array(offset)) - kernels.interpolating(np.array(-offset))) < 1e-9


@given(st.floats(-0.5, 0.5))
def test_cubic_weights_sum_to_one_and_keep_lines(offset):
    n = np.arange(-3, 4)
    weights = kernels.cubic(n - offset)
    assert abs(weights.sum() - 1) < 1e-12
    assert abs(weights @ n - offset) < 1e-12


@pytest.mark.parametrize("passes", [1, 2, 4])
def test_binomial_taps_are_passes_of_five(passes):
    taps = kernels.binomial(passes)
    assert len(taps) == 4 * passes + 1
    assert sum(taps) == pytest.approx(1, abs=1e-15)
    assert taps[2 * passes] == max(taps) and taps == taps[::-1]
