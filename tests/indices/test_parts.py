"""Indices add up: tiles with context give the index of the whole."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from panflow import registry
from panflow.assessment import make_case
from panflow.indices._case import Case
from panflow.indices._sets import load
from panflow.indices._stats import Sums
from panflow.ops.moments import pan_core
from panflow.ops.window import window
from panflow.scene._statistics import Statistic

# The search for the phase, which is the whole scene's business, is left out here.
OPTIONS = {name: {"phase": "nominal"} for name in ("r_sam", "r_ergas", "r_q", "r_q2n")} | {"r_q2n": {"block": 8}}
HALO = 160
TILES = [(top, bottom, left, right) for top, bottom in ((0, 128), (128, 260)) for left, right in ((0, 128), (128, 256))]


@pytest.fixture(scope="module", params=("full", "holed"))
def whole(request) -> Case:
    """Two bands, 260 x 256 pixels at ratio 4; holed: some pixels of one tile count nowhere."""
    rng = np.random.default_rng(3)
    reference, change = 800 + 600 * gaussian_filter(rng.normal(size=(2, 2, 260, 256)), (0, 0, 1.5, 1.5))
    fused = reference + change / 8 - 90
    if request.param == "holed":
        fused[:, 140:170, 20:60] = np.nan
    pan = reference.mean(axis=0) + rng.normal(size=(260, 256)) * 5
    ms = reference.reshape(2, 65, 4, 64, 4).mean(axis=(2, 4))
    return make_case(fused, pan, ms, reference)


def tile(case: Case, core: tuple[int, int, int, int]) -> Case:
    pair = window(case.pair, *core, HALO)
    own = pan_core(pair)
    top, left = core[0] - own[0].start, core[2] - own[1].start
    at = (..., slice(top, top + pair.size[0]), slice(left, left + pair.size[1]))
    valid = None if case.valid is None or case.valid[at].all() else case.valid[at]
    return replace(
        case, fused=case.fused[at], reference=case.reference[at], pair=pair, valid=valid, core=own, cell=64, made={}
    )


@pytest.mark.parametrize("name", registry.names("indices"))
def test_tiles_add_up_to_the_whole(name, whole):
    index = load(name, **OPTIONS.get(name, {}))
    found = Statistic.merged([Statistic.of(index, tile(whole, core)) for core in TILES])
    assert found.additive
    assert found.value(whole) == pytest.approx(float(index(whole)[0]), rel=1e-9)


# Without those on the MS grid, and D_sR, which has weights of its own in every tile.
@pytest.mark.parametrize(
    "name", [n for n in registry.names("indices") if hasattr(load(n), "map") and n[:2] != "r_" and n != "d_sr"]
)
def test_maps_of_tiles_are_parts_of_the_map(name, whole):
    index = load(name)
    expected = index.map(whole)[0]
    for core in TILES:
        part = tile(whole, core)
        top, bottom, left, right = core
        np.testing.assert_allclose(part.own(index.map(part))[0], expected[top:bottom, left:right], 1e-9, 1e-12)


def test_variants_of_one_window_do_not_add_up(whole):
    for index in (load("d_lambda", variant="global"), load("qnr", variant="global"), load("d_rho", against="ms")):
        found = Statistic.of(index, whole)
        assert not found.additive
        assert found.value(whole) == pytest.approx(float(index(whole)[0]), rel=1e-12)


def test_the_interval_is_that_of_a_mean():
    """RMSE^2 of cells with known scatter: the bootstrap's width is 2 * 1.96 deviations of the mean."""
    rng = np.random.default_rng(0)
    squares = rng.normal(4, 0.5, (400, 1, 1))
    found = Statistic(load("rmse"), (Sums(squares, np.ones((400, 1, 1))),), True)
    low, high = found.interval(None)
    assert low < 2 < high
    assert high**2 - low**2 == pytest.approx(2 * 1.96 * 0.5 / 20, rel=0.1)
    assert found.interval(None) == (low, high), "seeded"


def test_cells_without_data_say_nothing():
    rng = np.random.default_rng(1)
    total, weight = rng.uniform(1, 2, (30, 1, 1)), np.ones((30, 1, 1))
    empty = Sums(np.concatenate([total, 0 * total]), np.concatenate([weight, 0 * weight]))
    statistic = Statistic(load("rmse"), (Sums(total, weight),), True)
    assert replace(statistic, parts=(empty,)).interval(None) == statistic.interval(None)
    assert replace(statistic, parts=(Sums(total[:7], weight[:7]),)).interval(None) is None
