"""Pairs of a caller's arrays: phase, ratio, shapes, nodata."""

from itertools import product

import numpy as np
import pytest
import torch

from panflow.errors import GeometryError, InputError
from panflow.pairs import make_pair, phase_of, ratio_of

RATIO = (4.0, 2.0)


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        ("corner", (1.5, 0.5)),
        ("toolbox", (2.0, 1.0)),
        ("centre", (0.0, 0.0)),
        (0.7, (0.7, 0.7)),
        (np.float32(0.5), (0.5, 0.5)),
        ((1, -2), (1.0, -2.0)),
        (np.array([1.0, 2.0]), (1.0, 2.0)),
    ],
)
@pytest.mark.parametrize("bands", [1, 2, 3])
def test_one_phase_for_all_bands(phase, expected, bands):
    assert phase_of(phase, RATIO, bands) == (expected,) * bands


@pytest.mark.parametrize("kind", [list, tuple, np.array, torch.tensor])
def test_a_phase_for_each_band(kind):
    pairs = [[1.0, 2.0], [3.0, 4.0]]
    assert phase_of(kind(pairs), RATIO, 2) == ((1.0, 2.0), (3.0, 4.0))


@pytest.mark.parametrize("phase", ["middle", (1, 2, 3), None, float("nan"), [(1, 2), (3,)], "1.5", [[1.0, 2.0]] * 3])
def test_other_phases_are_refused(phase):
    with pytest.raises(InputError, match="phase"):
        phase_of(phase, RATIO, 2)


@pytest.mark.parametrize(
    ("pan", "ms", "expected"),
    [(400, 100, 4), (401, 100, 4), (397, 100, 4), (667, 334, 2), (250, 100, 2.5), (300, 90, 10 / 3), (5, 5, 1)],
)
def test_ratio_is_whole_where_sizes_are_nearly(pan, ms, expected):
    assert ratio_of(pan, ms) == expected


def test_shapes_that_do_not_fit_are_refused():
    ms = np.ones((3, 10, 10))
    with pytest.raises(GeometryError, match="not finer"):
        make_pair(np.ones((10, 10)), ms)
    for pan in (np.ones((3, 40, 40)), np.ones(40), np.ones((2, 1, 40, 40)), np.ones((0, 40)), [[1.0]]):
        with pytest.raises(InputError):
            make_pair(pan, ms)
    for last in ((10, 10, 3), (2, 10, 10, 3), (10, 10, 10)):
        batch = last[:-3]
        if last == (10, 10, 10):  # either way
            assert make_pair(np.ones((40, 40)), np.ones(last)).bands == 10
            continue
        with pytest.raises(InputError, match="channels seem to come last"):
            make_pair(np.ones((*batch, 1, 40, 40)), np.ones(last))
    with pytest.raises(InputError, match="one kind"):
        make_pair(torch.ones(40, 40), ms)


def test_nan_is_nodata_in_either():
    pan, ms = np.ones((40, 40)), np.ones((3, 10, 10))
    assert make_pair(pan, ms).pan_valid is None
    ms[1, 2, 3] = np.nan
    pan[0, 0] = np.inf
    pair = make_pair(pan, ms)
    expected = np.ones((40, 40), bool)
    expected[8:12, 12:16] = expected[0, 0] = False
    assert np.array_equal(pair.pan_valid[0, 0], expected)
    assert np.isfinite(pair.ms).all() and np.isfinite(pair.pan).all()


def test_phase_says_where_ms_lies_and_arithmetic_how_it_is_computed():
    pan, ms = np.ones((40, 40)), np.ones((3, 10, 10))
    for phase, arithmetic in product(("corner", "toolbox"), ("standard", "toolbox")):
        pair = make_pair(pan, ms, phase=phase, arithmetic=arithmetic)
        assert pair.toolbox == (arithmetic == "toolbox")
        assert pair.phase[0] == ((2.0, 2.0) if phase == "toolbox" else (1.5, 1.5))
    with pytest.raises(InputError, match="arithmetic 'matlab' is unknown: expected standard or toolbox"):
        make_pair(pan, ms, arithmetic="matlab")
