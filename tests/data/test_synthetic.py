"""The synthetic scene: repeatable, its MS is what the sensor's model makes of its reference, files lie right."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio
from scipy.ndimage import correlate

from panflow import sensors
from panflow.data import synthetic
from panflow.data._materials import LABELS, MATERIALS, response
from panflow.errors import InputError
from panflow.ops.kernels import gaussian_window_design
from panflow.ops.resample import sense
from panflow.types import Band

QUICKBIRD = sensors.load("quickbird")


@pytest.fixture(scope="module")
def pair():
    return synthetic.scene(192, QUICKBIRD, seed=3, noise=0.0)


def test_shapes_types_and_counts(pair):
    assert pair.pan.shape == (1, 1, 192, 192) and pair.ms.shape == (1, 4, 48, 48)
    assert pair.reference.shape == (1, 4, 192, 192)
    for image in (pair.pan, pair.ms, pair.reference):
        assert image.dtype == np.float32 and image.min() >= 1 and image.max() <= 2047
    assert pair.phase == ((1.5, 1.5),) * 4 and pair.pan_valid is None


def test_a_seed_decides_everything():
    one, same, other = (synthetic.scene(64, QUICKBIRD, seed=seed) for seed in (1, 1, 2))
    for name in ("pan", "ms", "reference"):
        assert np.array_equal(getattr(one, name), getattr(same, name))
        assert not np.allclose(getattr(one, name), getattr(other, name), atol=20)


def test_ms_is_the_reference_through_the_mtf_at_the_phase():
    """Against a plain two-dimensional correlation with the published filter, sampled at whole pixels."""
    pair = synthetic.scene(96, QUICKBIRD, seed=5, phase=(2.0, 1.0), noise=0.0)
    for band, gain in enumerate(QUICKBIRD.gains):
        kernel = gaussian_window_design(gain, (4.0, 4.0))
        blurred = correlate(pair.reference[0, band].astype(np.float64), kernel, mode="nearest")
        np.testing.assert_allclose(pair.ms[0, band], blurred[2::4, 1::4], atol=0.05)


def test_a_known_shift_is_in_the_phase():
    """The place where PAN, seen as MS, explains the bands best is the one that the pair tells."""
    shift, band_shifts = (1.0, -1.5), [(0.0, 0.0)] * 3 + [(0.5, 0.5)]
    pair = synthetic.scene(192, QUICKBIRD, seed=3, shift=shift, band_shifts=band_shifts)
    assert pair.phase == ((2.5, 0.0),) * 3 + ((3.0, 0.5),)

    def likeness(phase):
        seen = sense(pair.pan, replace(pair, phase=(phase,) * 4))
        return np.corrcoef(seen[0, 1].ravel(), pair.ms[0, 1].ravel())[0, 1]

    places = [(y, x) for y in np.arange(1.0, 4.5, 0.5) for x in np.arange(-1.5, 2.0, 0.5)]
    assert max(places, key=likeness) == (2.5, 0.0)


def test_noise_is_as_large_as_told(pair):
    noisy = synthetic.scene(192, QUICKBIRD, seed=3, noise=0.004)
    for name in ("pan", "ms"):
        difference = getattr(noisy, name) - getattr(pair, name)
        assert np.std(difference) == pytest.approx(0.004 * 2047, rel=0.05)
    assert np.array_equal(noisy.reference, pair.reference)


def test_pan_is_near_to_a_mix_of_the_bands_but_none():
    pair = synthetic.scene(384, QUICKBIRD, seed=0, noise=0.0)
    bands = pair.reference[0].reshape(4, -1).T.astype(np.float64)
    design, pan = np.c_[bands, np.ones(len(bands))], pair.pan.ravel().astype(np.float64)
    rest = pan - design @ np.linalg.lstsq(design, pan, rcond=None)[0]
    assert 0.95 < 1 - rest.var() / pan.var() < 0.998  # real pairs: 0.95 to 0.98, errors of position included


def test_scenes_have_detail_that_ms_lacks_and_vegetation_in_the_infrared(pair):
    pan = pair.pan[0, 0]
    assert np.std(pan - np.repeat(np.repeat(pan[2::4, 2::4], 4, 0), 4, 1)) > 30
    red, nir = pair.reference[0, 2], pair.reference[0, 3]
    ndvi = (nir - red) / (nir + red)
    assert np.mean(ndvi > 0.4) > 0.1 and np.mean(ndvi < 0.2) > 0.05


@pytest.mark.parametrize(("name", "bands", "ratio"), [("worldview3", 8, 4), ("landsat8", 7, 2)])
def test_other_sensors(name, bands, ratio):
    sensor = sensors.load(name)
    pair = synthetic.scene((65, 90), sensor, seed=1)
    assert pair.ms.shape == (1, bands, 65 // ratio, 90 // ratio)
    assert pair.reference.max() < 2**sensor.bits


def test_a_ratio_that_is_no_integer():
    pair = synthetic.scene(100, QUICKBIRD, ratio=2.5, noise=0.0)
    assert pair.ms.shape == (1, 4, 40, 40) and pair.phase[0] == (0.75, 0.75)
    assert pair.ms.mean() == pytest.approx(pair.reference.mean(), rel=0.01)


def test_a_nodata_border_of_the_share_asked_for():
    pair = synthetic.scene(192, QUICKBIRD, seed=3, nodata=0.3)
    hidden = ~pair.pan_valid
    assert hidden.mean() == pytest.approx(0.3, abs=0.01)
    assert np.array_equal(pair.pan == 0, hidden)
    assert np.array_equal(pair.ms == 0, np.broadcast_to(~pair.ms_valid, pair.ms.shape))
    assert np.array_equal(pair.reference == 0, np.broadcast_to(hidden, pair.reference.shape))
    under = pair.pan_valid[0, 0].reshape(48, 4, 48, 4).all(axis=(1, 3))  # grids share corners
    assert np.array_equal(pair.ms_valid[0, 0], under)


def test_bands_without_wavelength_and_empty_scenes_are_refused():
    with pytest.raises(InputError, match="no wavelength"):
        synthetic.scene(64, sensors.fit_bands(sensors.load("generic"), 5))
    with pytest.raises(InputError, match="one MS pixel"):
        synthetic.scene(3, QUICKBIRD)


def test_a_band_measures_its_own_part_of_the_spectrum():
    """Vegetation rises from red to infrared; a narrow band at a node of the table measures that node."""
    narrow = response(Band("green", 545, 2, 0.3))
    grass = MATERIALS["grass"].reflectance
    assert narrow.plain[LABELS["grass"]] == pytest.approx(grass[2], rel=0.01)
    nir, red = (response(Band("x", nm, 60, 0.3)).plain[LABELS["leaves"]] for nm in (830, 660))
    assert nir > 5 * red


def test_files_lie_where_the_pair_says(pair, tmp_path):
    paths = synthetic.write(pair, tmp_path / "new", origin=(1000.0, 2000.0), pixel=0.5)
    with rasterio.open(paths["pan"]) as pan, rasterio.open(paths["ms"]) as ms, rasterio.open(paths["truth"]) as truth:
        assert pan.crs == ms.crs == truth.crs and pan.crs.is_projected
        assert pan.bounds == ms.bounds == truth.bounds  # phase 1.5: shared corners
        assert (pan.res, ms.res) == ((0.5, 0.5), (2.0, 2.0))
        assert pan.nodata == ms.nodata == 0 and ms.descriptions == ("blue", "green", "red", "nir")
        assert np.abs(ms.read() - pair.ms[0]).max() <= 0.5 and ms.dtypes[0] == "uint16"
        assert np.abs(truth.read() - pair.reference[0]).max() <= 0.5
        assert sensors.guess(ms.tags(), 4, 4.0, list(ms.descriptions))[0] == QUICKBIRD


def test_files_may_claim_another_place(pair, tmp_path):
    paths = synthetic.write(pair, tmp_path, phase=(0.0, 0.0))
    with rasterio.open(paths["pan"]) as pan, rasterio.open(paths["ms"]) as ms:
        assert pan.xy(0, 0) == ms.xy(0, 0)  # shared centres
