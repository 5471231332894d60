"""The offset of MS against PAN: a tenth of a PAN pixel where it is known, and none where none can be seen."""

from dataclasses import replace

import numpy as np
import pytest

from panflow import sensors
from panflow.data import synthetic
from panflow.ops.register import Registration, register
from panflow.ops.resample import sense
from panflow.ops.window import partition, window
from panflow.pairs import make_pair

TENTH = 0.1


def nominal(pair):
    """The pair as its files would describe it: corners shared."""
    phase = tuple((r - 1) / 2 for r in pair.ratio)
    return replace(pair, phase=(phase,) * pair.bands)


def scene(sensor="ikonos", size=320, **options):
    return synthetic.scene(size, sensors.load(sensor), **options)


def measured(pair, side=None):
    pair = nominal(pair)
    cores = partition(pair.size, side or max(pair.size))
    return register(window(pair, *core, 0) for core in cores)


def assert_found(found: Registration, shift, within=TENTH):
    assert found.confident
    assert np.abs(np.array(found.shift) - shift).max() < within


SHIFTS = [tuple(s) for s in np.round(np.random.default_rng(8).uniform(-3, 3, (10, 2)), 2)]


@pytest.mark.parametrize("sensor", ["ikonos", "landsat8"])  # ratio 4 and 2
@pytest.mark.parametrize("number", range(len(SHIFTS)))
def test_known_shifts_to_a_tenth(sensor, number):
    found = measured(scene(sensor, seed=number, shift=SHIFTS[number]))
    assert_found(found, SHIFTS[number])
    assert found.r2_after > found.r2_before
    assert not any(any(b) for b in found.band_shifts)


def test_no_shift_is_none():
    for seed in range(4):
        assert_found(measured(scene(seed=seed)), (0, 0), 0.05)


def test_windows_of_a_scene_agree():
    found = measured(scene("worldview3", 512, seed=3, shift=(0.64, 1.38)), 256)
    assert found.windows == 16, "four, each in quarters"
    assert found.scatter < 0.1
    assert_found(found, (0.64, 1.38))


@pytest.mark.parametrize(
    "tone",
    [
        pytest.param(lambda pan: 0.3 * pan + 700, id="gain and offset"),
        pytest.param(lambda pan: 2047 * (pan / 2047) ** 0.5, id="gamma 0.5"),
        pytest.param(lambda pan: 2047 * (pan / 2047) ** 2, id="gamma 2"),
        pytest.param(lambda pan: 1e-4 * pan, id="reflectance"),
        pytest.param(lambda pan: 3000 - pan, id="negative"),
    ],
)
def test_unlike_radiometry(tone):
    pair = scene("worldview3", seed=3, shift=(1.3, -2.2))
    assert_found(measured(replace(pair, pan=tone(pair.pan))), (1.3, -2.2))


def test_noise():
    assert_found(measured(scene("worldview3", 512, seed=3, shift=(1.3, -2.2), noise=0.02)), (1.3, -2.2))


@pytest.mark.parametrize("nodata", [0.2, 0.6])
def test_nodata(nodata):
    assert_found(measured(scene(size=512, seed=2, shift=(-0.7, 2.1), nodata=nodata)), (-0.7, 2.1))


def test_nodata_in_pan_only():
    pair = scene(size=512, seed=2, shift=(-0.7, 2.1))
    valid = np.ones(pair.pan.shape, bool)
    valid[..., 100:300, 50:200] = False
    assert_found(measured(replace(pair, pan=np.where(valid, pair.pan, 0), pan_valid=valid)), (-0.7, 2.1))


def flooded(pair, share, rng):
    """The pair with water over the right part: one dark level each, and the sensors' noise on it."""
    wet = np.arange(pair.size[1]) >= pair.size[1] * (1 - share)
    reference, pan = (np.where(wet, 100, image).astype(np.float32) for image in (pair.reference, pair.pan))
    ms = sense(reference, pair)
    return replace(pair, pan=pan + rng.normal(0, 2, pan.shape), ms=ms + rng.normal(0, 2, ms.shape))


def test_water_over_most_of_the_scene():
    pair = flooded(scene(size=640, seed=1, shift=(1.2, -1.7)), 0.7, np.random.default_rng(0))
    for side in (160, 640):
        assert_found(measured(pair, side), (1.2, -1.7))


def test_clouds_that_moved_between_the_exposures():
    pair, rng = scene(size=640, seed=4, shift=(0.9, 1.4)), np.random.default_rng(1)
    pan, ms = pair.pan.copy(), pair.ms.copy()
    for row, column in rng.integers(0, 120, (6, 2)):
        pan[..., 4 * row : 4 * row + 60, 4 * column + 30 : 4 * column + 90] = 2000  # 30 pixels further on
        ms[..., row : row + 15, column : column + 15] = 2000
    assert_found(measured(replace(pair, pan=pan, ms=ms), 320), (0.9, 1.4))


@pytest.mark.parametrize("size", [96, 160, 256])
@pytest.mark.parametrize("sensor", ["worldview3", "landsat8"])
def test_pairs_with_nothing_in_common_show_no_offset(sensor, size):
    for seed in range(4):
        pair = scene(sensor, size, seed=seed)
        for ms in (scene(sensor, size, seed=seed + 50).ms, pair.ms[..., ::-1].copy()):
            found = measured(replace(pair, ms=ms), 512)
            assert not found.confident


@pytest.mark.parametrize("sensor", ["ikonos", "landsat8"])
@pytest.mark.parametrize("shift", [(8.3, -6.6), (-14.75, 15.2)])
def test_far_shifts_are_found(sensor, shift):
    pair = nominal(scene(sensor, 512, seed=2))
    y, x = pair.phase[0]
    away = replace(pair, phase=((y - shift[0], x - shift[1]),) * pair.bands)
    cores = partition(pair.size, 512)
    assert_found(register(window(away, *core, 0) for core in cores), shift)
    near = register([window(away, *core, 0) for core in cores], search=4)
    assert not near.confident


@pytest.mark.parametrize("ramp, sure", [(0.6, True), (4.0, False)])
def test_an_offset_that_is_another_elsewhere_is_not_sure(ramp, sure):
    """MS stretched, so that its offset grows by `ramp` PAN pixels from the left to the right of a small scene."""
    pair = nominal(scene(size=600, seed=4))
    stretched = replace(pair, ratio=(4.0, 4 * (1 + ramp / 600)))
    found = register([stretched])
    assert found.confident == sure
    assert not sure or found.scatter == pytest.approx(ramp / 4, abs=0.1)


def test_nothing_to_see():
    pair = scene(size=256)
    for other in (replace(pair, pan=pair.pan * 0 + 7), replace(pair, ms=pair.ms * 0 + 7)):
        assert not measured(other).confident
    assert measured(scene(size=64)) == Registration()
    empty = np.zeros(pair.pan.shape, bool)
    assert measured(replace(pair, pan_valid=empty)) == Registration()


GROUP = (1, 2, 4, 6)  # WorldView-2's first band group: blue, green, red, NIR1


@pytest.mark.parametrize("seed, moved", [(0, (0.8, -1.0)), (1, (-1.5, 0.4)), (2, (0.0, 0.6))])
def test_two_band_groups(seed, moved):
    own = [(0.0, 0.0) if band in GROUP else moved for band in range(8)]
    pair = scene("worldview2", 512, seed=seed, shift=(0.4, 0.2), band_shifts=own)
    found = measured(pair)
    assert found.confident
    phases = np.array(found.phases(nominal(pair).phase))
    assert np.abs(phases - np.array(pair.phase)).max() < TENTH
    assert np.abs(np.mean(found.band_shifts, axis=0)).max() < 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_bands_in_place_stay_in_place(seed):
    """Shadows and leaves make NIR differ from the other bands on one side of things: that is no offset."""
    for sensor in ("worldview3", "ikonos"):
        assert not any(map(any, measured(scene(sensor, 384, seed=seed, noise=0.004)).band_shifts))


def test_phases_add_up():
    found = Registration(shift=(1.0, -2.0), band_shifts=((0.5, 0.0), (-0.5, 0.0)))
    assert found.phases(((1.5, 1.5), (0.0, 0.0))) == ((3.0, -0.5), (0.5, -2.0))
    assert Registration(shift=(1.0, -2.0)).phases(((1.5, 1.5),)) == ((2.5, -0.5),)


REAL = {  # where MS pixel (0, 0) lies by a half-pixel search (data/README.md)
    "restricted/worldview2": (1.0, 1.5),
    "restricted/ikonos": (2.0, 2.0),
    "restricted/spot6-cropland": (1.5, 1.5),
    "restricted/gaofen2-full-0": (0.0, 1.5),
    "restricted/gaofen2-full-1": (0.5, 1.5),
    "restricted/gaofen2-full-2": (0.5, 1.0),
    "restricted/gaofen2-full-3": (0.5, 1.0),
    "restricted/gaofen2-full-4": (-1.0, 2.5),
    "open/worldview2-rotterdam-1": (1.0, 0.5),
    "open/worldview2-rotterdam-2": (0.5, 3.0),
    "open/worldview2-rotterdam-3": (0.5, 1.5),
}


@pytest.mark.parametrize("name", REAL)
def test_real_pairs(name, shared):
    import rasterio

    pan, ms = (
        rasterio.open(shared / "data" / name / f"{role}.tif").read().astype(np.float32) for role in ("pan", "ms")
    )
    if "rotterdam" in name:
        pan, ms = (np.where(image == 0, np.nan, image) for image in (pan, ms))
    pair = make_pair(pan, ms, double=False)
    found = measured(pair, 512)
    assert found.confident
    position = np.array(found.shift) + pair.common_phase
    assert np.abs(position - REAL[name]).max() < 0.35
    assert found.r2_after > 0.85
