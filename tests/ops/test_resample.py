"""Moving between the grids: the toolbox's numbers, ramps, partitions, adjoints of geometry."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from panflow import sensors
from panflow.ops import kernels, resample
from panflow.ops.resample import atrous, decimate, interpolate, lowpass, ms_aligned, ms_up, pan_low, sense, shrink
from panflow.pairs import make_pair

RATIOS = st.sampled_from([1.5, 1.9946, 2.0, 3.0, 3.7, 4.0, 5.0])
PHASES = st.floats(-3, 7)


@pytest.fixture(scope="module", params=["wv2", "ik"])
def case(request, shared):
    """(the recorded arrays, channels first; a toolbox pair of PAN and MS)."""
    blocks = np.load(shared / f"golden/classical/blocks/blocks_{request.param}.npz")
    arrays = {k: np.moveaxis(v, -1, 0) if v.ndim == 3 else v for k, v in blocks.items()}
    sensor = {"wv2": "worldview2", "ik": "ikonos"}[request.param]
    pair = make_pair(arrays["PAN"].astype(float), arrays["MS"].astype(float), sensor, "toolbox")
    return arrays, pair


def off(found, expected):
    return np.abs(np.asarray(found).reshape(expected.shape) - expected).max()


def test_interpolation_is_interp23tap(case):
    # ours are the polynomial's own weights, the toolbox writes them with 12 digits, one of them off by 2e-10
    arrays, pair = case
    assert off(ms_up(pair), arrays["interp23tap"]) < 2e-9 * arrays["MS"].max()
    half = interpolate(pair.ms, (2.0, 2.0), (1.0, 1.0), (64, 64), "wrap")
    assert off(half, arrays["interp23tap_ratio2"]) < 2e-9 * arrays["MS"].max()


def test_bicubic_is_imresize(case):
    arrays, pair = case
    assert off(shrink(pair.pan, pair.ratio, (32, 32)), arrays["imresize_down4_bicubic_PAN"]) < 1e-9
    up = interpolate(pair.ms[:, :1], pair.ratio, (1.5, 1.5), (128, 128), kind="cubic")
    assert off(up, arrays["imresize_up4_bicubic_MSband1"]) < 1e-9


def test_filters_of_the_toolbox(case):
    arrays, pair = case
    for band, gain in enumerate(pair.sensor.gains):
        found = lowpass(arrays["interp23tap"][None, band, None], kernels.mtf(gain, pair.ratio))
        assert off(found, arrays["MTF_filtered_EXP"][band]) < 1e-6
    found = lowpass(pair.pan, kernels.mtf(pair.sensor.pan.mtf, pair.ratio))
    assert off(found, arrays["MTF_PAN_filtered"]) < 1e-6
    assert off(lowpass(pair.pan, kernels.generic_lowpass(pair.ratio)), arrays["LPfilterGauss_PAN"]) < 1e-6


def test_atrous_is_the_toolbox(case):
    arrays, pair = case
    assert off(atrous(pair.pan, pair.ratio), arrays["LPfilter_PAN"]) < 1e-9
    found = atrous(pair.pan, pair.ratio, pair.ratio, (2.0, 2.0), pair.ms_size)
    assert off(found, arrays["LPfilterPlusDec_PAN"]) < 1e-9


def test_atrous_impulse(shared):
    expected = np.load(shared / "golden/classical/blocks/kernels.npz")["atrous_impulse_ratio4"]
    impulse = np.zeros((1, 1, 33, 33))
    impulse[..., 16, 16] = 1
    assert off(atrous(impulse, (4.0, 4.0)), expected) < 1e-12


def test_pyramid_lowpass_is_the_toolbox(case):
    arrays, pair = case
    assert off(pan_low(pair), arrays["GLP_lowpass_PAN"]) < 1e-5


def ramp(size, slope=(3.0, -2.0), start=(0.0, 0.0), step=(1.0, 1.0)):
    y, x = (a + s * np.arange(n) for n, a, s in zip(size, start, step))
    return (slope[0] * y[:, None] + slope[1] * x[None, :])[None, None]


@settings(max_examples=60, deadline=None)
@given(RATIOS, RATIOS, PHASES, PHASES, st.sampled_from(["polynomial", "cubic", "linear"]))
def test_a_ramp_stays_a_ramp_upwards(ry, rx, py, px, kind):
    """The inside of the result is the same plane, at any ratio and phase."""
    coarse = ramp((40, 40), start=(py, px), step=(ry, rx))
    size = (int(40 * ry), int(40 * rx))
    fine = interpolate(coarse, (ry, rx), (py, px), size, kind=kind)
    far = [int(np.ceil(resample.REACH * r + abs(p))) + 1 for r, p in ((ry, py), (rx, px))]
    inside = (..., slice(far[0], size[0] - far[0]), slice(far[1], size[1] - far[1]))
    assert np.abs(fine - ramp(size))[inside].max() < 1e-5


@settings(max_examples=25, deadline=None)
@given(RATIOS, RATIOS, PHASES, PHASES, st.sampled_from([0.15, 0.3, 0.5]))
def test_a_ramp_stays_a_ramp_downwards(ry, rx, py, px, gain):
    fine, size = ramp((180, 180)), (int(180 / ry), int(180 / rx))
    filter = kernels.mtf(gain, (ry, rx))
    weight = filter.full().sum()  # the toolbox's filters do not sum to 1 exactly
    coarse = decimate(fine, filter, (ry, rx), (py, px), size) / weight
    expected = ramp(size, start=(py, px), step=(ry, rx))
    y, x = ((p + r * np.arange(n)) for p, r, n in zip((py, px), (ry, rx), size))
    rows, columns = ((v > 34) & (v < 180 - 35) for v in (y, x))
    # in PAN pixels: between samples the filter's taps are interpolated, and cut two samples beyond their end
    assert np.abs(coarse - expected)[..., rows, :][..., columns].max() / 3 < 3e-4


@settings(max_examples=30, deadline=None)
@given(RATIOS, PHASES)
def test_bicubic_reduction_keeps_a_ramp(ratio, phase):
    size = int(120 / ratio)
    found = shrink(ramp((120, 120)), (ratio, ratio), (size, size), (phase, phase))
    expected = ramp((size, size), start=(phase, phase), step=(ratio, ratio))
    position = phase + ratio * np.arange(size)
    inside = (position > 2 * ratio + 1) & (position < 119 - 2 * ratio - 1)
    assert np.abs(found - expected)[..., inside, :][..., inside].max() < 1e-9


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(resample.INTERPOLATORS)), st.sampled_from(["symmetric", "edge", "wrap"]), RATIOS, PHASES)
def test_interpolation_weights_sum_to_one(kind, border, ratio, phase):
    fine = interpolate(np.full((1, 1, 15, 14), 5.0), (ratio, ratio), (phase, phase), (50, 44), border, kind)
    assert np.abs(fine - 5).max() < 1e-12


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.integers(0, 4), st.integers(0, 4))
def test_interpolation_passes_through_the_samples(ratio, py, px):
    assume(max(py, px) < ratio)
    ms = np.random.default_rng(0).normal(size=(1, 2, 14, 13))
    fine = interpolate(ms, (ratio, ratio), (py, px), (14 * ratio, 13 * ratio))
    assert np.abs(fine[..., py::ratio, px::ratio] - ms).max() < 1e-9


@settings(max_examples=20, deadline=None)
@given(RATIOS, PHASES)
def test_nearest_takes_the_nearest(ratio, phase):
    line = np.arange(20.0)
    position = (np.arange(30) - phase) / ratio
    assume(np.abs(position - np.floor(position) - 0.5).min() > 1e-6)
    found = interpolate(line[None, None, None], (1.0, ratio), (0.0, phase), (1, 30), "edge", "nearest")[0, 0, 0]
    assert np.array_equal(found, np.clip(np.round(position), 0, 19))


def test_mirroring_commutes_with_the_phase():
    """Flipping both images turns phase p into what is left at the other end; an off-by-one shows here."""
    ms = np.random.default_rng(0).normal(size=(1, 1, 10, 12))
    ratio, phase, size = (4.0, 3.0), (0.7, 2.2), (40, 36)
    mirrored = tuple(n - 1 - (p + (m - 1) * r) for n, p, m, r in zip(size, phase, (10, 12), ratio))
    found = interpolate(ms[..., ::-1, ::-1], ratio, mirrored, size)[..., ::-1, ::-1]
    assert np.abs(found - interpolate(ms, ratio, phase, size)).max() < 1e-7
    pan = np.random.default_rng(1).normal(size=(1, 1, 40, 36))
    filter = kernels.mtf(0.3, ratio)
    found = decimate(pan[..., ::-1, ::-1], filter, ratio, mirrored, (10, 12))[..., ::-1, ::-1]
    assert np.abs(found - decimate(pan, filter, ratio, phase, (10, 12))).max() < 1e-7


def test_decimation_is_the_filtered_image_at_the_samples():
    pan = np.random.default_rng(1).normal(size=(1, 2, 41, 30))
    filter = kernels.mtf(0.3, (4.0, 4.0))
    found = decimate(pan, filter, (4.0, 4.0), (2.0, 1.0), (10, 7))
    assert np.abs(found - lowpass(pan, filter)[..., 2::4, 1::4][..., :10, :7]).max() < 1e-12


def test_sub_pixel_sampling_of_a_smooth_image():
    """Between PAN pixels the filtered image is read where a wave of known form says."""
    y = np.arange(160.0)
    filter = kernels.mtf(0.3, (4.0, 4.0))
    wave = np.cos(2 * np.pi * y / 20)[None, None, :, None] * np.ones(160)
    gain = np.abs(np.exp(-2j * np.pi * (np.arange(41) - 20) / 20) @ filter.full().sum(axis=1))
    found = decimate(wave, filter, (4.0, 4.0), (1.37, 0.0), (39, 40))[0, 0, :, 20]
    expected = gain * np.cos(2 * np.pi * (1.37 + 4 * np.arange(39)) / 20)
    assert np.abs(found - expected)[8:-8].max() < 1e-6


def per_band_pair(phases):
    pan = ramp((128, 128))[0]
    ms = np.concatenate([ramp((32, 32), start=p, step=(4, 4))[0] for p in phases])
    return make_pair(pan, ms, sensors.load("ikonos"), phases)


def test_every_band_is_taken_from_where_it_lies():
    pair = per_band_pair([(1.5, 1.5), (0.0, 3.0), (1.5, 1.5), (-1.0, 2.2)])
    assert np.abs(ms_up(pair) - ramp((128, 128)))[..., 56:72, 56:72].max() < 1e-5
    common = ramp((32, 32), start=pair.common_phase, step=(4, 4))
    assert np.abs(ms_aligned(pair) - common)[..., 13:19, 13:19].max() < 1e-5
    sums = np.array([kernels.mtf(gain, pair.ratio).full().sum() for gain in pair.sensor.gains])[:, None, None]
    assert np.abs(sense(pair.pan, pair) / sums - pair.ms)[..., 13:19, 13:19].max() / 3 < 3e-4


@pytest.mark.parametrize("phase", ["corner", "toolbox", (0.3, 1.8)])
def test_torch_equals_numpy(phase):
    rng = np.random.default_rng(0)
    pan, ms = rng.normal(size=(40, 44)), rng.normal(size=(4, 10, 11))
    pair, tensors = (make_pair(f(pan), f(ms), "ikonos", phase) for f in (np.asarray, torch.from_numpy))
    for function in (ms_up, pan_low):
        assert np.abs(function(tensors).numpy() - function(pair)).max() < 1e-12
