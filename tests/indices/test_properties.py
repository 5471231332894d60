"""Mathematics of the indices: invariances, symmetries, closed forms."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

import panflow
from panflow.assessment import make_case
from panflow.indices._reproject import reprojected, searched_phases
from panflow.indices._sets import load
from panflow.indices.q2n import product_table
from panflow.ops.resample import sense
from panflow.pairs import make_pair

seeds = st.integers(0, 2**32 - 1)
factors = st.floats(0.3, 3.0)
few = settings(max_examples=25, deadline=None)


def images(seed, bands=3, size=(40, 48), count=2):
    """Textured counts around 1000, [count] of [bands, H, W]."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(count, bands, *size)), (0, 0, 1, 1))
    return 1000 + 400 * noise / noise.std()


def against(fused, reference, name, **options):
    return panflow.assess(fused, reference=reference, indices={name: load(name, **options)})[name]


@few
@given(seeds)
def test_symmetric_indices(seed):
    a, b = images(seed)
    for name in ("sam", "rmse", "cc", "psnr", "scc", "q_avg", "ssim"):
        assert against(a, b, name) == pytest.approx(against(b, a, name), rel=1e-9)


@few
@given(seeds, factors)
def test_a_common_factor_changes_nothing_but_errors_in_counts(seed, factor):
    a, b = images(seed)
    for name in ("sam", "ergas", "cc", "scc", "q_avg"):
        assert against(factor * a, factor * b, name) == pytest.approx(against(a, b, name), rel=1e-9, abs=1e-9)
    plain = against(a, b, "q2n", rounded=False)
    assert against(factor * a, factor * b, "q2n", rounded=False) == pytest.approx(plain, rel=1e-9)
    assert against(factor * a, factor * b, "ssim", peak=factor * 2047) == pytest.approx(
        against(a, b, "ssim", peak=2047)
    )
    assert against(factor * a, factor * b, "rmse") == pytest.approx(factor * against(a, b, "rmse"))


@few
@given(seeds)
def test_brightness_of_pixels_is_nothing_to_sam(seed):
    a, b = images(seed)
    gains = np.random.default_rng(seed).uniform(0.2, 5, size=a.shape[1:])
    assert against(gains * a, b, "sam") == pytest.approx(against(a, b, "sam"), rel=1e-9)


@few
@given(seeds, factors, st.floats(-100, 100))
def test_gain_and_offset_are_nothing_to_correlations(seed, gain, offset):
    a, b = images(seed)
    assert against(gain * a + offset, b, "cc") == pytest.approx(against(a, b, "cc"), rel=1e-9)
    interior = (..., slice(4, -4), slice(4, -4))  # zeros surround the image, so that an offset shows at its border
    pan, ms = a[:1], b[:, ::4, ::4]
    one, two = (load("d_rho").map(make_case(f, pan[0], ms))[interior] for f in (b, gain * b + offset))
    assert two == pytest.approx(one, abs=1e-8)


@few
@given(factors)
def test_q_of_a_scaled_image_is_known(gain):
    """Correlation 1, luminance and contrast 2g / (1 + g^2) each."""
    (a,) = images(3, count=1)
    expected = (2 * gain / (1 + gain**2)) ** 2
    assert against(gain * a, a, "q_avg") == pytest.approx(expected, rel=1e-9)


@few
@given(st.floats(-200, 200).filter(lambda x: abs(x) > 1))
def test_an_offset_gives_known_errors(offset):
    (a,) = images(4, count=1)
    found = panflow.assess(a + offset, reference=a, indices=["rmse", "psnr", "ergas", "cc"])
    assert found["rmse"] == pytest.approx(abs(offset))
    assert found["psnr"] == pytest.approx(20 * np.log10(65535 / abs(offset)))
    assert found["ergas"] == pytest.approx(25 * abs(offset) * np.sqrt(np.mean(a.mean(axis=(1, 2)) ** -2.0)))
    assert found["cc"] == pytest.approx(1)


@few
@given(seeds, st.integers(1, 9))
def test_indices_stay_in_their_range(seed, bands):
    a, b = images(seed, bands)
    found = panflow.assess(a, b[0], a[:, ::4, ::4], b)
    for name in ("q2n", "r_q2n"):
        assert 0 <= found[name] <= 1 + 1e-9
    for name in ("q_avg", "ssim", "cc", "r_q"):
        assert -1 - 1e-9 <= found[name] <= 1 + 1e-9
    assert 0 <= found["d_rho"] <= 2
    assert found["d_sr"] >= 0
    assert found["qnr"] == pytest.approx((1 - found["d_lambda"]) * (1 - found["d_s"]))
    assert found["hqnr"] == pytest.approx((1 - found["d_lambda_k"]) * (1 - found["d_s"]))


@pytest.mark.parametrize("parts", (1, 2, 4, 8))
def test_hypercomplex_product_keeps_norms(parts):
    """Real, complex numbers, quaternions and octonions are composition algebras."""
    rng = np.random.default_rng(parts)
    x, y = rng.normal(size=(2, parts))
    product = np.einsum("kij,i,j->k", product_table(parts), x, y)
    assert np.linalg.norm(product) == pytest.approx(np.linalg.norm(x) * np.linalg.norm(y))
    assert np.einsum("kij,i,j->k", product_table(parts), x, x) == pytest.approx([x @ x] + [0] * (parts - 1))


def test_q2n_is_what_its_definition_says():
    """The product of all pixels' hypercomplex numbers, not of covariances, in one block."""
    a, b = images(5, bands=4, size=(32, 32))
    level, scale = a.mean(axis=(1, 2), keepdims=True), a.std(axis=(1, 2), ddof=1, keepdims=True)
    x, y = (((image - level) / scale + 1).reshape(4, -1) for image in (a, b))
    product = np.einsum("kij,ip,jp->kp", product_table(4), x, y).mean(axis=1)
    means = np.einsum("kij,i,j->k", product_table(4), x.mean(axis=1), y.mean(axis=1))
    n = x.shape[1]
    power = n / (n - 1) * sum((v**2).sum() / n - (v.mean(axis=1) ** 2).sum() for v in (x, y))
    mx, my = (np.linalg.norm(v.mean(axis=1)) for v in (x, y))
    expected = n / (n - 1) * np.linalg.norm(product - means) * 2 / power * 2 * mx * my / (mx**2 + my**2)
    assert against(b, a, "q2n", rounded=False) == pytest.approx(expected, rel=1e-9)


def test_reflectances_are_not_rounded():
    a, b = images(6) / 10000
    assert against(a, b, "q2n") == against(a, b, "q2n", rounded=False) < 0.99


def test_interpolated_ms_has_no_spectral_distortion():
    pan, ms = images(8, size=(64, 64))[0, 0], images(9, size=(16, 16))[0]
    for phase, arithmetic in product(("corner", "toolbox"), ("standard", "toolbox")):
        how = {"phase": phase, "arithmetic": arithmetic}
        fused = panflow.sharpen(pan, ms, method="exp", **how)
        assert panflow.assess(fused, pan, ms, indices="d_lambda", **how)["d_lambda"] == 0


def test_an_image_made_of_pan_follows_it():
    pan, ms = images(10, size=(64, 64))[0, 0], images(11, size=(16, 16))[0]
    fused = np.stack([pan, 2 * pan, 0.5 * pan])
    found = panflow.assess(fused, pan, ms, indices=["d_rho", "d_sr"])
    assert found["d_rho"] == pytest.approx(0, abs=1e-9)
    assert found["d_sr"] == pytest.approx(0, abs=1e-9)
    assert panflow.assess(fused[::-1] * -1, pan, ms, indices="d_rho")["d_rho"] == pytest.approx(2, abs=1e-9)


@pytest.mark.parametrize("phase", ("corner", "toolbox", (0.5, 2.25)))
def test_ms_seen_in_the_fused_image_is_consistent_with_it(phase):
    """MS made of the fused image by the sensor's filter: every reprojection index is ideal at that phase."""
    fused, pan = images(12, size=(80, 80))[0], images(12, size=(80, 80))[0, 0]
    first = make_case(fused, pan, np.ones((3, 20, 20)), phase=phase)
    ms = reprojected(first, "nominal").fused[0]
    case = make_case(fused, pan, ms, phase=phase)
    for name in ("r_sam", "r_ergas", "r_q", "r_q2n"):
        assert float(load(name, phase="nominal")(case)[0]) == pytest.approx(load(name).ideal, abs=1e-5)
    assert float(load("d_lambda_k", scale="ms")(case)[0]) == pytest.approx(0, abs=1e-6)


def test_the_search_finds_where_bands_lie():
    truth = images(13, size=(160, 160))[0]
    truth[1:] = 0.7 * truth[:1] + 0.3 * truth[1:]
    planted = ((0.0, 3.0), (2.0, 1.0), (3.0, 3.0))
    seen = reprojected(make_case(truth, truth[0], np.ones((3, 40, 40)), phase=planted), "nominal").fused[0]
    assert searched_phases(make_case(truth, truth[0], seen)) == [planted]


def test_a_better_phase_gives_better_consistency():
    """MS made by the sensor's MTF at one phase, judged at that and at others."""
    truth = images(14, bands=4, size=(96, 96))[0]
    pan = truth.mean(axis=0)
    ms = sense(truth[None], make_pair(pan, np.ones((4, 24, 24)), phase=1.5))[0]
    indices = {"r": load("r_ergas", phase="nominal")}
    found = [panflow.assess(truth, pan, ms, indices=indices, phase=phase)["r"] for phase in (1.5, 1.75, 2.0)]
    assert all(better < worse for better, worse in pairwise(found))


DETAILS = ("detail_gain", "detail_correlation", "middle_gain", "middle_correlation")


def detailed(gain, seed=15):
    """Bands that show PAN's smooth part, and so much of what it has above 0.3 cycles a pixel; PAN."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(160), np.fft.fftfreq(160)))
    fine = np.fft.ifft2(np.fft.fft2(rng.normal(size=(160, 160))) * (frequency > 0.3)).real
    smooth = 1000 + 3000 * gaussian_filter(rng.normal(size=(160, 160)), 8)
    fused = smooth + gain * 30 * fine
    return np.stack([fused, 2 * fused + 40, 0.5 * fused]), smooth + 30 * fine


@pytest.mark.parametrize("gain", (0.4, 1.0, 1.3))
def test_the_detail_gain_is_that_of_the_details(gain):
    fused, pan = detailed(gain)
    found = panflow.assess(fused, pan, fused[:, ::4, ::4], indices=DETAILS)
    assert found["detail_gain"] == pytest.approx(gain, rel=0.02)
    assert found["detail_correlation"] == pytest.approx(1, abs=0.02)


def test_an_image_made_of_pan_has_all_its_details_and_no_colour_of_its_own():
    pan, ms = images(10, size=(96, 96))[0, 0], images(11, size=(24, 24))[0]
    fused = np.stack([pan, 2 * pan + 100, 0.5 * pan])
    found = panflow.assess(fused, pan, ms, indices=(*DETAILS, "fine_colour"))
    assert [found[name] for name in DETAILS] == pytest.approx([1] * 4, abs=1e-6)
    assert found["fine_colour"] == pytest.approx(0, abs=1e-9)


@few
@given(seeds, factors, st.floats(-100, 100))
def test_gain_and_offset_of_the_bands_are_nothing_to_details(seed, gain, offset):
    fused, pan = images(seed, size=(64, 64))[0], images(seed + 1, count=1, size=(64, 64))[0, 0]
    pan = fused.mean(axis=0) + 0.3 * pan
    names = (*DETAILS, "fine_colour")
    one, other = (panflow.assess(f, pan, fused[:, ::4, ::4], indices=names) for f in (fused, gain * fused + offset))
    assert other == pytest.approx(one, rel=1e-5)
    scaled = panflow.assess(fused, gain * pan + offset, fused[:, ::4, ::4], indices=names)
    assert scaled == pytest.approx(one, rel=1e-5)


def test_fine_colour_is_the_share_of_the_details_that_is_not_pan():
    """Independent noise of a tenth of the details' energy, and of wide windows a little of it explained."""
    rng = np.random.default_rng(16)
    pan, other = rng.normal(size=(2, 200, 200))
    fused = (1000 + 100 * (pan + np.sqrt(0.1) * other))[None]
    found = panflow.assess(fused, 1000 + 100 * pan, fused[:, ::4, ::4], indices="fine_colour")["fine_colour"]
    assert found == pytest.approx(0.1 / 1.1, rel=0.05)


BANDS = ("band_gain", "band_correlation")


def of_scene(gains, seed=18):
    """Bands with these shares of the fine detail that goes with their coarser one, PAN, MS by the sensor's optics."""
    fused, pan = detailed(1.0, seed)
    fine = pan - detailed(0.0, seed)[0][0]
    contrast = (1.0, 0.5, -0.3, 2.0)
    bands = np.stack([1000 + c * (fused[0] - 1000) for c in contrast])
    ms = sense(bands[None], make_pair(pan, np.ones((4, 40, 40)), sensor="ikonos"))[0]
    return bands + np.stack([c * (gain - 1) * fine for c, gain in zip(contrast, gains)]), pan, ms


@pytest.mark.parametrize("gains", [(1, 1, 1, 1), (1, 0.4, 1, 1), (1, 1, 0.6, 1), (0.5, 1, 1, 1)])
def test_the_band_gain_is_that_of_the_visible_band_with_least_detail(gains):
    found = panflow.assess(*of_scene(gains), sensor="ikonos", indices=BANDS)
    assert found["band_gain"] == pytest.approx(min(gains), rel=0.05)
    assert found["band_correlation"] == pytest.approx(1, abs=0.02)


def test_detail_in_the_near_infrared_stands_for_no_visible_band():
    soft, pan, ms = of_scene((0, 0, 0, 1))
    found = panflow.assess(soft, pan, ms, sensor="ikonos", indices=(*BANDS, "detail_gain"))
    assert found["band_gain"] == pytest.approx(0, abs=0.05)


def test_noise_of_one_band_lowers_the_band_correlation():
    fused, pan, ms = of_scene((1, 1, 1, 1))
    noise = np.random.default_rng(19).normal(size=pan.shape)
    detail = fused[1] - gaussian_filter(fused[1], 1.5)
    fused[1] += detail.std() * noise
    found = panflow.assess(fused, pan, ms, sensor="ikonos", indices=BANDS)
    assert found["band_gain"] == pytest.approx(1, abs=0.1)
    assert found["band_correlation"] < 0.8


def test_fine_colour_looks_at_visible_bands():
    rng = np.random.default_rng(17)
    pan, other = 1000 + 100 * rng.normal(size=(2, 96, 96))
    fused = np.stack([pan, pan, pan, other])  # near infrared of its own
    found = panflow.assess(fused, pan, fused[:, ::4, ::4], sensor="ikonos", indices="fine_colour")
    assert found["fine_colour"] == pytest.approx(0, abs=1e-9)
