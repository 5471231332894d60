"""Windows and blocks against plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panflow.assessment import make_case
from panflow.indices._aligned import shrink_aligned
from panflow.indices._blocks import blocks
from panflow.indices._sets import load
from panflow.indices._windows import local_correlation, window_sum

few = settings(max_examples=30, deadline=None)


@few
@given(st.integers(1, 12), st.integers(1, 12))
def test_window_sums(rows, columns):
    image = np.random.default_rng(0).normal(size=(2, 12, 14))
    expected = np.lib.stride_tricks.sliding_window_view(image, (rows, columns), axis=(-2, -1)).sum(axis=(-2, -1))
    assert window_sum(image, (rows, columns)) == pytest.approx(expected, abs=1e-12)


def test_constant_windows_of_a_power_of_two_sum_exactly():
    image = np.full((40, 40), 0.1)
    assert np.all(1024 * window_sum(image * image, (32, 32)) == window_sum(image, (32, 32)) ** 2)


@few
@given(st.integers(5, 20), st.integers(5, 20), st.integers(2, 8), st.integers(1, 8))
def test_blocks(height, width, size, shift):
    shift = min(shift, size)
    image = np.arange(2.0 * height * width).reshape(1, 2, height, width)
    found = blocks(image, size, shift)
    mirrored = np.pad(image, ((0, 0), (0, 0), (0, size), (0, size)), mode="symmetric")
    n, m = -(-height // shift), -(-width // shift)
    assert found.shape == (1, n, m, 2, size * size)
    for i, j in ((0, 0), (n - 1, m - 1), (n // 2, 0)):
        expected = mirrored[0, :, i * shift : i * shift + size, j * shift : j * shift + size].reshape(2, -1)
        assert np.array_equal(found[0, i, j], expected)


@pytest.mark.parametrize("half", (1, 2, 3))
@pytest.mark.parametrize("masked", (False, True))
def test_local_correlation(half, masked):
    rng = np.random.default_rng(half)
    a, b = rng.normal(size=(2, 1, 1, 9, 11)) + 3
    valid = rng.random((1, 1, 9, 11)) > 0.2 if masked else np.ones((1, 1, 9, 11), bool)

    def windows(values):
        """Every pixel's window, zeros outside, [9, 11, 2 half, 2 half]."""
        padded = np.pad(values, ((half - 1, half), (half - 1, half)))
        return np.lib.stride_tricks.sliding_window_view(padded, (2 * half, 2 * half))

    counts = 4 * half**2 - windows(~valid[0, 0]).sum(axis=(-2, -1))
    counts = np.maximum(counts, 1)
    x, y = ((v * valid)[0, 0] for v in (a, b))
    x, y = ((v - windows(v).sum(axis=(-2, -1)) / counts) * valid[0, 0] for v in (x, y))
    xy, xx, yy = (windows(p).sum(axis=(-2, -1)) for p in (x * y, x * x, y * y))
    expected = xy / np.sqrt(np.maximum(xx, 1e-20) * np.maximum(yy, 1e-20))
    assert local_correlation(a, b, half, valid if masked else None)[0, 0] == pytest.approx(expected, abs=1e-12)


def test_flat_windows_correlate_with_nothing():
    flat = np.full((1, 1, 12, 12), 0.3)
    assert np.all(local_correlation(flat, np.random.default_rng(0).normal(size=flat.shape), 2)[..., 4:-4, 4:-4] == 0)


def test_invalid_pixels_leave_q_of_the_others():
    """A window with a hole has the Q of its other pixels."""
    rng = np.random.default_rng(2)
    reference = rng.normal(size=(1, 16, 16)) * 100 + 500
    fused = reference * 0.8 + rng.normal(size=(1, 16, 16)) * 30
    valid = rng.random((16, 16)) > 0.4
    x, y = reference[0][valid], fused[0][valid]
    covariance = np.cov(x, y)
    a, b = x.mean(), y.mean()
    expected = 4 * covariance[0, 1] * a * b / (np.trace(covariance) * (a**2 + b**2))
    case = make_case(np.where(valid, fused, np.nan), reference=reference)
    assert float(load("q_avg", window=16)(case)[0]) == pytest.approx(expected, rel=1e-9)
    # one band: Q2n is Q of the normalised images, so only its modulus of the correlation is compared
    s = x.std(ddof=1)
    mean = (b - a) / s + 1
    normal = abs(covariance[0, 1]) * 4 * abs(mean) / (np.trace(covariance) * (1 + mean**2))
    assert float(load("q2n", block=16, rounded=False)(case)[0]) == pytest.approx(normal, rel=1e-9)


def test_aligned_reduction_is_that_of_torch():
    torch = pytest.importorskip("torch")
    image = np.random.default_rng(3).normal(size=(1, 2, 32, 40))
    expected = torch.nn.functional.interpolate(torch.tensor(image), size=(8, 10), mode="bicubic", align_corners=True)
    assert shrink_aligned(image, (8, 10)) == pytest.approx(expected.numpy(), abs=1e-10)
