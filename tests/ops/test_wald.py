"""Wald's protocol: the toolbox's numbers, its geometry, and what nodata becomes."""

import numpy as np
import pytest
from recordings import BLOCKS, TOOLBOX, blocks

import panflow
from panflow.errors import InputError


@pytest.mark.parametrize("name", BLOCKS)
def test_is_the_toolbox_protocol(name):
    case = blocks(name)
    reduced = panflow.degrade(case.pair.pan[0, 0], case.pair.ms[0], sensor=case.pair.sensor, **TOOLBOX)
    assert case.off("resize_images_MS", reduced.ms) < 1e-6
    assert case.off("resize_images_PAN", reduced.pan) < 1e-9
    assert np.array_equal(reduced.reference, case.pair.ms[0])


@pytest.mark.parametrize("phase", ["corner", "centre", (0.4, 2.7), [(1.5, 1.5), (0.0, 2.0), (-1.0, 3.0)]])
def test_a_plane_stays_a_plane_on_all_three_grids(phase):
    """PAN and MS of one plane: the reduced images show the same plane, each where its phase says."""
    pan_phases = np.broadcast_to(
        {"corner": 1.5, "centre": 0.0}[phase] if isinstance(phase, str) else np.array(phase), (3, 2)
    )
    y, x = np.mgrid[:256, :256]
    pan = 3.0 * y - 2 * x + 500
    rows, columns = 4 * np.arange(64)[:, None], 4 * np.arange(64)[None, :]
    ms = np.stack([3.0 * (py + rows) - 2 * (px + columns) + 500 for py, px in pan_phases])
    reduced = panflow.degrade(pan, ms, phase=phase)
    common = pan_phases.mean(axis=0)
    inside = (..., slice(28, 36), slice(28, 36))
    fine = np.arange(64)
    expected = 3.0 * (common[0] + 4 * fine[:, None]) - 2 * (common[1] + 4 * fine[None, :]) + 500
    assert np.abs(reduced.pan - expected)[inside].max() < 1e-6
    assert np.abs(reduced.reference - expected)[inside].max() < 1e-3
    (py, px) = reduced.phase[0]
    k = np.arange(16)
    where = 3.0 * (common[0] + 4 * (py + 4 * k[:, None])) - 2 * (common[1] + 4 * (px + 4 * k[None, :])) + 500
    seen = reduced.ms[..., 6:10, 6:10]
    flat = panflow.degrade(pan * 0 + 1, ms * 0 + 1, phase=phase).ms[..., 6:10, 6:10]  # what the filters sum to
    assert np.abs(seen / flat - where[6:10, 6:10]).max() < 0.01
    assert 0 <= py < 4 and 0 <= px < 4


def test_sizes_are_cut_to_whole_pixels():
    reduced = panflow.degrade(np.ones((4 * 37, 4 * 22)), np.ones((3, 37, 22)))
    assert reduced.ms.shape == (3, 9, 5)
    assert reduced.reference.shape == (3, 36, 20) and reduced.pan.shape == (1, 36, 20)


def test_too_small_is_refused():
    with pytest.raises(InputError, match="expected at least 4 x 4, the ratio, to be reduced"):
        panflow.degrade(np.ones((12, 12)), np.ones((4, 3, 3)))


def test_nodata_spoils_only_what_it_touches():
    ms = np.random.default_rng(0).uniform(100, 200, (4, 64, 64))
    ms[:, :, :20] = np.nan
    reduced = panflow.degrade(np.random.default_rng(1).uniform(100, 200, (256, 256)), ms)
    assert np.isfinite(reduced.ms).all() and np.isfinite(reduced.reference).all()
    assert not reduced.ms_valid[..., :5].any()  # MS pixel k of the reduced image is centred on column 1.5 + 4 k
    assert reduced.ms_valid[..., 11:].all()
    assert not reduced.pan_valid[..., :20].any() and reduced.pan_valid[..., 20:].all()
