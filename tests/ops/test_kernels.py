"""Kernels: the toolbox's numbers, and what an interpolating function and a low-pass must be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import DRAWN, blocks

from panflow.ops import kernels
from panflow.ops.kernels import TAPS


def assert_kernel(kernel, case, name):
    """Of the symmetric kernel the quarter from its centre on, and the sum of all taps, are recorded.

    Taps at radius exactly 20 fall in or out of the toolbox's window by rounding, 1.5e-10 (golden.md, section 5).
    """
    n = np.arange(TAPS // 2 + 1)
    defined = n[:, None] ** 2 + n[None, :] ** 2 != (TAPS // 2) ** 2
    difference = np.abs(kernel[..., TAPS // 2 :, TAPS // 2 :] - case[f"kernel_{name}_quarter"])
    assert difference[..., defined].max() < 1e-12
    assert difference.max() < 2e-10
    assert np.abs(kernel.sum((-2, -1)) - case[f"kernel_{name}_sum"]).max() < 12 * 2e-10


@pytest.mark.parametrize("case", DRAWN)
def test_filters_of_the_toolbox(case):
    recorded = blocks(case)
    sensor, ratio = recorded.pair.sensor, (4.0, 4.0)
    bands = [kernels.gaussian_window_design(gain, ratio) for gain in sensor.gains]
    assert_kernel(np.stack(bands), recorded, "ms")
    assert_kernel(kernels.gaussian_window_design(sensor.pan.mtf, ratio), recorded, "pan")
    lowpass = kernels.gaussian_window_design(0.3, ratio, points=TAPS)
    assert_kernel(lowpass, recorded, "lpgauss")
    assert np.abs(kernels.generic_lowpass(ratio).full() - lowpass).max() < 1e-9  # as a separable sum


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
