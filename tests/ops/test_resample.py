"""Moving between the grids: the toolbox's numbers, ramps, partitions, adjoints of geometry."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from recordings import BLOCKS, DRAWN, blocks

from panflow import sensors
from panflow.methods._haze import Haze
from panflow.ops import kernels, resample
from panflow.ops.resample import atrous, decimate, interpolate, lowpass, ms_aligned, ms_up, pan_low, sense, shrink
from panflow.pairs import make_pair
from panflow.zoo import load

RATIOS = st.sampled_from([1.5, 1.9946, 2.0, 3.0, 3.7, 4.0, 5.0])
PHASES = st.floats(-3, 7)


@pytest.fixture(params=BLOCKS)
def case(request):
    return blocks(request.param)


def test_interpolation_is_interp23tap(case):
    # ours are the polynomial's own weights, the toolbox writes them with 12 digits, one of them off by 2e-10
    largest = case.pair.ms.max()
    assert case.off("interp23tap", ms_up(case.pair)[0]) < 2e-9 * largest
    half = interpolate(case.pair.ms, (2.0, 2.0), (1.0, 1.0), (64, 64), "wrap")[0]
    assert case.off("interp23tap_ratio2", half) < 2e-9 * largest


def test_bicubic_is_imresize(case):
    pair = case.pair
    assert case.off("imresize_down4_bicubic_PAN", shrink(pair.pan, pair.ratio, (32, 32))) < 1e-9
    up = interpolate(pair.ms[:, :1], pair.ratio, (1.5, 1.5), (128, 128), kind="cubic")[0, 0]
    assert case.off("imresize_up4_bicubic_MSband1", up) < 1e-9


def test_nearest_is_imresize(case):
    """Which of two pixels at the same distance: the later one."""
    nearest = interpolate(case.pair.pan, (0.25, 0.25), (-0.375, -0.375), (32, 32), kind="nearest")
    assert case.off("imresize_down4_nearest_PAN", nearest) == 0


def test_filters_of_the_toolbox(case):
    pair = case.pair
    bands = case.arrays.get("interp23tap", ms_up(pair)[0])
    seen = [lowpass(b[None, None], kernels.mtf(g, pair.ratio)) for b, g in zip(bands, pair.sensor.gains)]
    assert case.off("MTF_filtered_EXP", np.concatenate(seen, axis=1)[0]) < 1e-6
    assert case.off("MTF_PAN_filtered", lowpass(pair.pan, kernels.mtf(pair.sensor.pan.mtf, pair.ratio))[0, 0]) < 1e-6
    assert case.off("LPfilterGauss_PAN", lowpass(pair.pan, kernels.generic_lowpass(pair.ratio))[0, 0]) < 1e-6


def test_atrous_is_the_toolbox(case):
    pair = case.pair
    assert case.off("LPfilter_PAN", atrous(pair.pan, pair.ratio)[0, 0]) < 1e-9
    assert case.off("LPfilterPlusDec_PAN", atrous(pair.pan, pair.ratio, pair.ratio, (2.0, 2.0), pair.ms_size)) < 1e-9


def test_atrous_impulse():
    impulse = np.zeros((1, 1, 33, 33))
    impulse[..., 16, 16] = 1
    assert blocks("pair4").off("atrous_impulse", atrous(impulse, (4.0, 4.0))) < 1e-12
    assert np.array_equal(blocks("pair4")["atrous_impulse"], blocks("pair8")["atrous_impulse"])


def test_pyramid_lowpass_is_the_toolbox(case):
    assert case.off("GLP_lowpass_PAN", pan_low(case.pair)[0]) < 1e-5


def test_percentiles_of_the_bands_are_the_toolbox(case):
    """The first percentile, from which BT-H and MTF-GLP-HPM-H take the haze."""
    assert case.off("prctile1", np.quantile(ms_up(case.pair)[0], 0.01, axis=(1, 2), method="hazen")) < 1e-5
    if len(case.pair.sensor.haze) == case.pair.bands:
        haze = Haze()
        haze.add(ms_up(case.pair), case.pair)
        assert case.off("prctile1", haze.value(case.pair.ms)[0] / case.pair.sensor.haze) < 1e-5


def test_regression_of_pan_on_the_bands_is_the_toolbox(case):
    assert case.off("alpha_EXP_to_LPgaussPAN", load("bt_h").fit([case.pair]).weights) < 1e-6


@pytest.mark.parametrize("name", DRAWN)
def test_every_recorded_block_is_compared(name):
    """But for the bilinear reduction, which nothing here uses."""
    tests = "".join(path.read_text() for path in Path(__file__).parents[1].glob("*/test_*.py"))
    compared = set(re.findall(r'(?:off\(|\[)f?"([\w{}]+)"', tests))
    names = {array.partition("__")[0] for array in blocks(name).arrays}
    names = {re.sub("^kernel_.*_", "kernel_{name}_", array) for array in names}
    assert names - compared == {"imresize_down4_bilinear_PAN"}


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
