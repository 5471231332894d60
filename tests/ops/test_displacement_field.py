"""Offsets that vary over a scene: measured from windows, and taken out of MS."""

from dataclasses import replace

import numpy as np
import pytest

from panflow import sensors
from panflow.data import synthetic
from panflow.ops import kernels
from panflow.ops.displacement_field import DisplacementField, _resampled, fitted, lattice, polynomial, straightened
from panflow.ops.register import register
from panflow.ops.resample import lowpass
from panflow.ops.window import ms_window, partition, window
from panflow.pairs import Windows

SIZE = 640


def displaced(field):
    """A drawn pair whose MS shows each place `field(y, x)` PAN pixels further down and right than its phase says."""
    pair = synthetic.scene(SIZE, sensors.load("ikonos"), seed=6, noise=0.0)
    rows, columns = (p + np.arange(n) * r for p, n, r in zip(pair.phase[0], pair.ms_size, pair.ratio))
    y, x = np.meshgrid(rows, columns, indexing="ij")
    dy, dx = field(y / SIZE, x / SIZE)
    bands = [
        _resampled(lowpass(pair.reference[:, k : k + 1], kernels.mtf(gain, pair.ratio, 1e-6))[0], None, y + dy, x + dx)[
            0
        ]
        for k, gain in enumerate(pair.sensor.gains)
    ]
    return replace(pair, ms=np.stack(bands, 1)), (dy, dx)


HILLS = np.random.default_rng(3).uniform((0, 0, -2, -2), (1, 1, 2, 2), (6, 4))


def terrain(y, x):
    bumps = [np.exp(-((y - a) ** 2 + (x - b) ** 2) / 0.05) * np.array([c, d])[:, None, None] for a, b, c, d in HILLS]
    return sum(bumps)


FIELDS = {
    "constant": lambda y, x: (0 * y + 1.3, 0 * x - 0.7),
    "affine": lambda y, x: (1.5 * x - 0.5, 2.0 * y + 0.5 * x),
    "bent": lambda y, x: (1.5 * np.sin(np.pi * x), 0.8 * (2 * y - 1) ** 2),
    "like terrain": terrain,
    "jitter": lambda y, x: (0.6 * np.sin(6 * np.pi * y), 0.8 * np.cos(6 * np.pi * y) + 0 * x),
}


def measured_by_place(pair):
    cores = partition(pair.size, 320)
    return register(
        [window(pair, *core, 0) for core in cores],
        size=pair.size,
        denser=lambda function: [function(window(pair, *core, 24)) for core in cores],
    )


@pytest.mark.parametrize("name", FIELDS)
def test_fields_are_measured_and_taken_out(name):
    pair, (dy, dx) = displaced(FIELDS[name])
    found = measured_by_place(pair)
    assert found.confident and (found.field is None) == (name == "constant")
    rows, columns = (p + np.arange(n) * r for p, n, r in zip(pair.phase[0], pair.ms_size, pair.ratio))
    there = np.array(found.shift)[:, None, None] * np.ones((2, 1, 1))
    if found.field:
        there = there + found.field.at(rows, columns)
    error = np.hypot(there[0] - dy, there[1] - dx)
    assert np.median(error) < 0.1 and np.quantile(error, 0.95) < 0.3


def test_windows_of_straightened_ms_are_the_whole_and_still_places_keep_their_bits():
    pair, _ = displaced(FIELDS["bent"])
    nodes = np.zeros((2, 9, 9))
    nodes[:, :, 5:] = np.linspace(0, 2, 4)
    field = DisplacementField(nodes[None], *lattice(pair.size, (9, 9)))
    whole = Windows.of(pair)
    before = whole.read((0, SIZE, 0, SIZE), 0).ms
    whole.straighten(field)
    after = whole.read((0, SIZE, 0, SIZE), 0).ms
    assert np.array_equal(before[..., :70], after[..., :70]) and not np.array_equal(before[..., 90:], after[..., 90:])
    core = (96, 288, 384, 512)
    rows, columns = (
        slice(*ends) for ends in np.reshape(ms_window(core, pair.phase, pair.ratio, pair.ms_size)[0], (2, 2))
    )
    assert np.array_equal(whole.read(core, 0).ms, after[..., rows, columns])


def test_invalid_pixels_enter_no_sum():
    image = np.full((1, 30, 30), 7.0)
    image[:, 10:14, 10:14] = 1e9
    valid = image[0] < 1e8
    field = DisplacementField(np.full((1, 2, 2, 2), 1.3), (0.0, 0.0), (119.0, 119.0))

    def read(core):
        inside = (..., slice(*core[:2]), slice(*core[2:]))
        return image[inside], valid[inside]

    ms, there = straightened(read, field, (4.0, 4.0), (1.5, 1.5), (30, 30))((0, 30, 0, 30))
    assert np.allclose(ms[:, there], 7.0) and 0 < (~there).sum() <= 36


def test_polynomials_are_met_despite_a_few_strays():
    rng = np.random.default_rng(1)
    places = rng.uniform(0, 500, (40, 2))
    offsets = np.stack([0.002 * places[:, 0] - 0.3, 0.001 * places[:, 1]], 1)
    strayed = offsets.copy()
    strayed[:4] += 3
    there = polynomial(1, places, (500, 500)) @ fitted(1, places, strayed, np.ones(40), (500, 500))
    assert np.abs(there - offsets).max() < 0.1
