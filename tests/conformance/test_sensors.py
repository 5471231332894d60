"""What every sensor's file says: bands in order, plausible numbers, where they are from."""

import pytest

from panflow import registry, sensors


@pytest.mark.parametrize("name", registry.names("sensors"))
def test_numbers_are_plausible(name):
    sensor = sensors.load(name)
    assert sensor.name == name and sensor.title and "MTF gains" in sensor.source
    assert sensor.ratio in (2.0, 4.0) and 8 <= sensor.bits <= 16
    assert len({band.name for band in sensor.bands}) == len(sensor.bands) >= 4
    for band in (*sensor.bands, sensor.pan):
        assert 0 < band.mtf < 1
        assert 400 < band.wavelength < 2500 and 10 < band.width < 500
    wavelengths = [band.wavelength for band in sensor.bands]
    assert wavelengths == sorted(wavelengths)
    assert sensor.pan.width > max(band.width for band in sensor.bands if band.wavelength < 700)
    assert len(sensor.haze) in (0, len(sensor.bands), 4)
    assert sensors.load(name) is sensor


@pytest.mark.parametrize("name", registry.names("sensors"))
def test_its_bands_are_selected_by_name(name):
    sensor = sensors.load(name)
    assert sensors.fit_bands(sensor, len(sensor.bands), [band.name for band in sensor.bands]).bands == sensor.bands
    for k, band in enumerate(sensor.bands):
        assert sensors.fit_bands(sensor, 1, [band.name]).bands == (band,)
        assert sensor.select([k]).gains == (band.mtf,)
