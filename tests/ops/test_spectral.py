"""Weights of the bands by PAN's spectral response."""

import numpy as np
import pytest

from panflow import sensors
from panflow.ops.spectral import pan_weights, reaches

PUBLISHED = ["landsat7", "landsat8", "landsat9", "pleiades", "quickbird", "geoeye1", "spot6", "spot7"]
PUBLISHED += ["worldview2", "worldview3", "worldview4"]


def weights(name, *names):
    sensor = sensors.load(name)
    return dict(zip(names, pan_weights(sensors.fit_bands(sensor, len(names), list(names)))))


@pytest.mark.parametrize("name", PUBLISHED)
def test_they_make_pan_of_a_spectrum_that_is_linear_between_bands(name):
    sensor = sensors.load(name)
    shares = np.array(pan_weights(sensor))
    assert shares.sum() == pytest.approx(1) and shares.min() >= 0
    seen = [band for band in sensor.bands if reaches(sensor.pan, band)]
    centres = np.array([band.wavelength for band in seen])
    levels = np.random.default_rng(0).uniform(1, 9, len(seen))
    nm, response = np.array(sensor.response).T
    at = np.arange(nm[0], nm[-1] + 1)
    spectrum, response = np.interp(at, centres, levels), np.interp(at, nm, response)
    values = [float(np.interp(band.wavelength, centres, levels)) for band in sensor.bands]
    assert shares @ values == pytest.approx((spectrum * response).sum() / response.sum())


def test_bands_that_pan_does_not_reach_have_none():
    landsat = weights("landsat8", "coastal", "blue", "green", "red", "nir", "swir1", "swir2")
    assert all(landsat[name] == 0 for name in ("coastal", "nir", "swir1", "swir2"))
    assert landsat["green"] > landsat["red"] > landsat["blue"] > 0
    assert weights("landsat7", "blue", "green", "red", "nir")["blue"] == 0


def test_a_band_that_is_left_out_gives_its_share_to_its_neighbours():
    four, three = weights("worldview2", "blue", "green", "red", "nir1"), weights("worldview2", "red", "green", "blue")
    assert three["red"] == pytest.approx(four["red"] + four["nir1"])
    assert three["green"] == pytest.approx(four["green"]) and three["blue"] == pytest.approx(four["blue"])


def test_without_a_response_there_are_none():
    assert pan_weights(sensors.load("ikonos")) is None
    assert pan_weights(sensors.fit_bands(sensors.load("generic"), 4)) is None
    assert pan_weights(sensors.fit_bands(sensors.load("landsat8"), 2, ["swir1", "swir2"])) is None
