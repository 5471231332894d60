"""Facts of sensors: each file loads, numbers are plausible and equal the reference table; guesses."""

import math

import pytest

from panflow import registry, sensors
from panflow.errors import InputError, UnknownName

NAMES = registry.names("sensors")


def names_of(sensor):
    return [band.name for band in sensor.bands]


def test_the_asked_sensors_are_there():
    expected = "worldview2 worldview3 worldview4 geoeye1 quickbird ikonos gaofen1 gaofen2 pleiades_neo spot6"
    assert set(expected.split()) | {
        "pleiades",
        "spot7",
        "landsat7",
        "landsat8",
        "landsat9",
        "generic",
    } <= set(NAMES)


def test_an_unknown_sensor_names_the_nearest():
    with pytest.raises(UnknownName, match="worldview3"):
        sensors.load("wordview3")


@pytest.mark.parametrize("name", ["gaofen1", "gaofen2", "generic", "landsat8"])
def test_unmeasured_sensors_have_the_generic_gains_and_say_so(name):
    sensor = sensors.load(name)
    assert set(sensor.gains) == {0.30} and sensor.pan.mtf == 0.15
    assert "generic 0.30" in sensor.source


@pytest.mark.parametrize(
    ("name", "count", "expected"),
    [
        ("worldview3", 8, "coastal blue green yellow red red_edge nir1 nir2"),
        ("worldview3", 4, "blue green red nir1"),
        ("worldview3", 3, "red green blue"),
        ("geoeye1", 4, "blue green red nir"),
        ("landsat8", 7, "coastal blue green red nir swir1 swir2"),
        ("landsat8", 6, "blue green red nir swir1 swir2"),
        ("landsat8", 4, "blue green red nir"),
        ("landsat7", 3, "red green blue"),
        ("generic", 4, "band1 band2 band3 band4"),
        ("generic", 1, "band1"),
    ],
)
def test_bands_of_an_image_by_their_number(name, count, expected):
    assert names_of(sensors.fit_bands(sensors.load(name), count)) == expected.split()


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("worldview2", ["Red", "Green", "Blue"], "red green blue"),
        ("worldview2", ["red", "green", "blue", "nir"], "red green blue nir1"),
        ("worldview2", ["NIR-2", "Red Edge"], "nir2 red_edge"),
        ("landsat8", ["B4", "B3", "B2"], "red green blue"),
        ("landsat8", ["LC08_L2SP_204023_SR_B2", "LC08_L2SP_204023_SR_B5"], "blue nir"),
        ("pleiades", ["B2", "B1", "B0", "B3"], "red green blue nir"),
        ("generic", ["red", "green", "blue", "nir"], "red green blue nir"),
        ("generic", ["thermal", "red"], "thermal red"),
        ("quickbird", ["1", "2", "3", "4"], "blue green red nir"),  # not understood: file order
    ],
)
def test_bands_of_an_image_by_their_names(name, given, expected):
    assert names_of(sensors.fit_bands(sensors.load(name), len(given), given)) == expected.split()


def test_haze_follows_the_bands_and_is_absent_where_undefined():
    wv2 = sensors.load("worldview2")
    assert wv2.haze == ()
    assert sensors.fit_bands(wv2, 4).haze == (0.95, 0.45, 0.40, 0.05)
    assert sensors.fit_bands(wv2, 4, ["nir", "red", "green", "blue"]).haze == (0.05, 0.40, 0.45, 0.95)
    assert sensors.fit_bands(wv2, 3).haze == ()
    assert sensors.load("ikonos").haze == (0.95, 0.45, 0.40, 0.05)


def test_generic_bands_keep_what_is_known():
    sensor = sensors.fit_bands(sensors.load("generic"), 2, ["thermal", "red"])
    assert math.isnan(sensor.bands[0].wavelength) and sensor.bands[1].wavelength == 660
    assert sensor.gains == (0.30, 0.30)


def test_a_wrong_number_of_bands_says_what_to_do():
    with pytest.raises(InputError, match=r"8 \(coastal.*or 4 \(blue.*has 5.*generic"):
        sensors.fit_bands(sensors.load("worldview3"), 5)
    with pytest.raises(InputError, match="4 bands and came with 3"):
        sensors.fit_bands(sensors.load("worldview3"), 4, ["red", "green", "blue"])


@pytest.mark.parametrize(
    ("path", "count", "expected"),
    [
        ("LC08_L1TP_017051_20151205_20200908_02_T1_B2.TIF", 6, "landsat8"),
        ("LC09_L2SP_231062_20230723_20230802_02_T1_SR_B2.TIF", 6, "landsat9"),
        ("LE07_L1TP_195025_20010730_20170204_01_T1_B1.TIF", 6, "landsat7"),
        ("landsat8-elkton/L8-B2-Elkton-VA.tiff", 6, "landsat8"),
        ("12JUN15WV020400012JUN15092711-M1BS-052903564010_01_P001.TIF", 8, "worldview2"),
        ("WV03N33_174861E069_5258332022062300000000MS00.tif", 8, "worldview3"),
        ("data/worldview2-rotterdam-1/ms.tif", 4, "worldview2"),
        ("09MAY01GE010400009MAY01.tif", 4, "geoeye1"),
        ("05NOV11QB020700005NOV11.tif", 4, "quickbird"),
        ("C:\\images\\ikonos\\ms.tif", 4, "ikonos"),
        ("GF2_PMS1_E113.6_N23.1_20160101_L1A0001328024-MSS1.tiff", 4, "gaofen2"),
        ("GF1B_PMS_E113.6_N23.1-MUX.tiff", 4, "gaofen1"),
        ("IMG_PHR1A_MS_201203101020150_ORT_001.TIF", 4, "pleiades"),
        ("IMG_PNEO4_STD_202111151358313_MS-FS_ORT.TIF", 6, "pleiades_neo"),
        ("IMG_SPOT7_MS_201410101020150_ORT.JP2", 4, "spot7"),
    ],
)
def test_file_names_tell_the_sensor(path, count, expected):
    sensor, why = sensors.guess({}, count, sensors.load(expected).ratio, path=path)
    assert sensor.name == expected and len(sensor.bands) == count
    assert expected in why


@pytest.mark.parametrize(
    ("tags", "count", "expected"),
    [
        ({"SPACECRAFT_ID": "LANDSAT_8"}, 7, "landsat8"),
        ({"PRODUCT_METADATA.SPACECRAFT_ID": "LANDSAT_7"}, 6, "landsat7"),
        ({"SATELLITEID": "WV03"}, 8, "worldview3"),
        ({"IMAGE_1.satId": "GE01"}, 4, "geoeye1"),
        ({"MISSION": "SPOT", "MISSION_INDEX": "6"}, 4, "spot6"),
        ({"MISSION": "PHR", "MISSION_INDEX": "1B"}, 4, "pleiades"),
        ({"SatelliteID": "GF1"}, 4, "gaofen1"),
    ],
)
def test_tags_tell_the_sensor_and_outrank_names(tags, count, expected):
    sensor, why = sensors.guess(tags, count, 4, path="quickbird/ms.tif")
    assert sensor.name == expected and "tag" in why


@pytest.mark.parametrize("path", ["ms.tif", "GF10_ms.tif", "worldview20190101.tif", "bikonos.tif", "tile_L8.tif"])
def test_bands_and_ratio_alone_never_decide(path):
    sensor, why = sensors.guess({}, 4, 4.0, path=path)
    assert sensor.name == "generic" and len(sensor.bands) == 4
    assert all(name in why for name in ("--sensor", "geoeye1", "quickbird", "worldview2"))
    assert "landsat8" not in why


def test_two_sensors_in_a_name_are_no_evidence():
    sensor, why = sensors.guess({}, 8, 4, path="WV02_like_WV03.tif")
    assert sensor.name == "generic" and "more than one" in why


def test_a_named_sensor_that_does_not_fit_is_told():
    sensor, why = sensors.guess({}, 5, 2, path="LC08_stack.tif")
    assert sensor.name == "generic" and len(sensor.bands) == 5 and sensor.ratio == 2
    assert "landsat8" in why and "has 5" in why


@pytest.mark.parametrize("name", [name for name in NAMES if name != "generic"])
def test_a_sensor_of_some_bands_is_taken_as_it_is(name):
    some = sensors.load(name).select([2, 1, 0])
    assert sensors.fit_bands(some, 3).bands == some.bands


def test_a_sensor_that_has_lost_bands_can_be_fitted_again():
    some = sensors.fit_bands(sensors.load("landsat8"), 3)
    assert sensors.fit_bands(some, 3, ["B4", "B3", "B2"]) == some
