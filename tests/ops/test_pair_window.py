"""Windows of a pair: what they hold, where they lie, what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from panflow.errors import InputError
from panflow.ops.moments import ms_core, pan_core
from panflow.ops.resample import ms_up
from panflow.ops.window import window
from panflow.pairs import make_pair


def pair_of(height, width, ratio, phase):
    rng = np.random.default_rng(0)
    ms = rng.uniform(100, 200, (1, 2, round(height / ratio), round(width / ratio)))
    return make_pair(rng.uniform(100, 200, (1, 1, height, width)), ms, phase=phase)


def test_window_keeps_pixels_and_their_places():
    pair = pair_of(120, 100, 4, [(1.5, 1.5), (2.25, 0.5)])
    part = window(pair, 50, 60, 30, 70, 20)
    rows, columns = pan_core(part)
    assert part.size == (50, 80) and part.core == (20, 30, 20, 60)
    np.testing.assert_array_equal(part.pan[..., rows, columns], pair.pan[..., 50:60, 30:70])
    # the first MS pixel lies where it lay
    first = np.flatnonzero((pair.ms == part.ms[..., :1, :1])[0, 0].any(axis=1))[0]
    assert part.phase[0][0] == 1.5 + 4 * first - 30 and part.phase[1][0] == 2.25 + 4 * first - 30


@pytest.mark.parametrize(("ratio", "phase"), [(4, "corner"), (10 / 3, (0.5, -0.7)), (2, [(0.5, 0.5), (0.9, 0.1)])])
def test_interpolation_in_a_window_equals_that_of_the_whole(ratio, phase):
    pair = pair_of(140, 120, ratio, phase)
    part = window(pair, 60, 75, 40, 90, int(11 * ratio) + 2)
    rows, columns = pan_core(part)
    found = ms_up(part)[..., rows, columns]
    np.testing.assert_allclose(found, ms_up(pair)[..., 60:75, 40:90], rtol=1e-9)


@pytest.mark.parametrize(
    ("ratio", "phase"), [(4, "corner"), (4, 0.0), (2, "corner"), (10 / 3, "corner"), (10 / 3, 0.3)]
)
def test_every_ms_pixel_belongs_to_one_of_two_windows(ratio, phase):
    pair = pair_of(60, 40, ratio, phase)
    for edge in range(1, 60):
        parts = [window(pair, 0, edge, 0, 40, 7), window(pair, edge, 60, 0, 40, 7)]
        values = [part.ms[(..., *ms_core(part))] for part in parts]
        np.testing.assert_array_equal(np.concatenate(values, axis=-2), pair.ms)


def test_masks_and_reference_are_cut_along():
    pair = pair_of(60, 60, 3, "corner")
    pair = replace(pair, pan_valid=pair.pan > 150, ms_valid=pair.ms[:, :1] > 150, reference=pair.pan + 1)
    part = window(pair, 20, 40, 20, 40, None)
    assert part.size == (60, 60) and part.core == (20, 40, 20, 40)
    part = window(pair, 21, 30, 21, 30, 0)
    np.testing.assert_array_equal(part.pan_valid, part.pan > 150)
    np.testing.assert_array_equal(part.ms_valid, part.ms[:, :1] > 150)
    np.testing.assert_array_equal(part.reference, part.pan + 1)


def test_what_is_no_window_is_refused():
    pair = pair_of(60, 60, 3, "corner")
    for bounds in [(0, 61, 0, 10), (-1, 10, 0, 10), (10, 10, 0, 10)]:
        with pytest.raises(InputError, match="expected a part of 60 x 60"):
            window(pair, *bounds, 5)
    with pytest.raises(InputError, match="wraps around"):
        window(replace(pair, toolbox=True), 0, 10, 0, 10, 5)
