"""What holds for every index: facts, ideal values, NumPy and torch, batches, masks, maps, tiles."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import panflow
from panflow import registry, sensors
from panflow.assessment import make_case, maps
from panflow.indices import Case
from panflow.indices._sets import SETS, load
from panflow.ops.moments import pan_core
from panflow.ops.window import window
from panflow.scene._statistics import Statistic
from panflow.types import Pair

NAMES = registry.names("indices")
BIBLIOGRAPHY = (Path(__file__).parents[2] / "references.bib").read_text()
WITH_REFERENCE = [name for name in NAMES if load(name).needs == "reference"]


@pytest.mark.parametrize("name", NAMES)
def test_facts_are_given(name):
    index = load(name)
    assert index.better in ("lower", "higher", "nearest")
    assert index.needs in ("reference", "pair")
    assert index.title and len(index.summary) > 10
    assert isinstance(index.unit, str) and isinstance(index.ideal, float)
    assert re.search(rf"@\w+{{{index.citation},", BIBLIOGRAPHY)
    assert load(name) == index and hash(load(name)) == hash(index)


@pytest.mark.parametrize("name", WITH_REFERENCE)
def test_the_truth_itself_is_ideal(name, arrays):
    truth = arrays["reference"]
    assert panflow.assess(truth, reference=truth, indices=name)[name] == pytest.approx(load(name).ideal, abs=1e-6)


@pytest.mark.parametrize("name", WITH_REFERENCE)
def test_worse_images_are_worse(name, arrays):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=arrays["reference"].shape)
    near, far = (
        panflow.assess(arrays["reference"] + step * noise, reference=arrays["reference"], indices=name)[name]
        for step in (5.0, 40.0)
    )
    assert near < far if load(name).better == "lower" else near > far


@pytest.mark.parametrize("double", (True, False))
def test_torch_equals_numpy(arrays, double):
    expected = panflow.assess(**arrays, double=double)
    found = panflow.assess(**{key: torch.tensor(value) for key, value in arrays.items()}, double=double)
    assert set(found) == set(NAMES)
    assert found == pytest.approx(expected, rel=1e-11 if double else 2e-5, abs=1e-11 if double else 2e-5)


def test_float32_is_close_to_float64(arrays):
    assert panflow.assess(**arrays, double=False) == pytest.approx(panflow.assess(**arrays), rel=2e-5, abs=2e-5)


def test_a_batch_gives_the_mean_of_its_images(arrays):
    second = {key: value[..., ::-1, ::-1] * 0.9 + 20 for key, value in arrays.items()}
    batch = {key: np.stack([value, second[key]]) for key, value in arrays.items()}
    batch["pan"] = batch["pan"][:, None]
    one, two = panflow.assess(**arrays), panflow.assess(**second)
    assert panflow.assess(**batch) == pytest.approx({name: (one[name] + two[name]) / 2 for name in one}, rel=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_nodata_counts_nowhere(name, arrays):
    """What stands in the pixels that are nodata in one of the images does not matter in the others."""
    hole = np.zeros((72, 96), bool)
    hole[:9, 40:] = hole[50:58, 8:12] = hole[30, 30] = True
    values = []
    for content in (0.0, 5000.0):
        given = {key: value.copy() for key, value in arrays.items()}
        given["fused"][:, hole] = np.nan
        given["reference"][:, hole] = content
        values.append(panflow.assess(**given, indices=name)[name])
    whole = panflow.assess(**arrays, indices=name)[name]
    assert values[0] == values[1]
    assert np.isfinite(values[0]) and values[0] != whole


@pytest.mark.parametrize("name", NAMES)
def test_nothing_valid_is_nan(name, arrays):
    arrays["fused"] = np.full_like(arrays["fused"], np.nan)
    assert np.isnan(panflow.assess(**arrays, indices=name)[name])


@pytest.mark.parametrize("name", NAMES)
def test_maps_lie_on_a_grid_and_show_holes(name, arrays):
    arrays["fused"][1, 10:20, 10:20] = np.nan
    if not hasattr(load(name), "map"):
        return
    options = {"r_q": {"window": 8}}.get(name, {})  # a window of 32 hardly fits into MS
    local = maps(**arrays, indices=load(name, **options))[name]
    assert local.shape in ((72, 96), (18, 24))
    step = 96 // local.shape[1]
    assert np.isnan(local[10 // step + 1, 10 // step + 1])
    assert np.isfinite(local).mean() > 0.2


@pytest.mark.parametrize("name", ("sam", "q2n", "q_avg", "ssim", "d_rho", "d_lambda_k"))
def test_the_mean_of_a_map_is_the_index(name, case):
    """Blocks of 24 divide the image; windows and angles have one value a pixel."""
    index = load(name, block=24) if name in ("q2n", "d_lambda_k") else load(name)
    assert np.nanmean(index.map(case)) == pytest.approx(float(index(case)[0]), rel=1e-9)


@pytest.mark.parametrize("name", SETS)
def test_sets_hold_what_their_inputs_allow(name, arrays):
    both = panflow.assess(**arrays, indices=name)
    assert set(both) == set(SETS[name])
    assert all(np.isfinite(value) for value in both.values())


def test_phase_matters_only_to_what_moves_between_the_grids(arrays):
    one, other = (panflow.assess(**arrays, phase=phase) for phase in ("corner", "toolbox"))
    still = {name for name in one if one[name] == other[name]}
    assert still >= {*WITH_REFERENCE, "d_rho", "d_sr"}
    assert {"d_lambda", "d_s", "d_lambda_k"}.isdisjoint(still)


def test_ratio_two_and_a_ratio_that_is_not_whole(arrays):
    for size in ((36, 48), (20, 27)):
        ms = arrays["ms"][:, :1, :1] + np.random.default_rng(1).normal(size=(3, *size)) * 50
        found = panflow.assess(arrays["fused"], arrays["pan"], ms)
        assert all(np.isfinite(value) for value in found.values())


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("d_lambda_k", "hqnr", "r_q2n")])
@pytest.mark.parametrize("masked", (False, True))
def test_nothing_leaves_the_device(name, masked):
    """On torch's device without memory, which refuses to meet others; Q2n of a pair looks at its largest value."""
    sensor, shapes = sensors.load("ikonos"), ((1, 1, 64, 64), (1, 4, 16, 16), (1, 4, 64, 64))
    pan, ms, fused = (torch.ones(shape, dtype=torch.float64, device="meta") for shape in shapes)
    valid = torch.ones(1, 1, 64, 64, dtype=torch.bool, device="meta") if masked else None
    pair = Pair(pan, ms, (4.0, 4.0), ((1.5, 1.5),) * 4, sensor, pan_valid=valid)
    options = {"q2n": {"rounded": False}} | {key: {"phase": "nominal"} for key in NAMES if key.startswith("r_")}
    case = Case(fused, sensor, pair.ratio, reference=fused, pair=pair, valid=valid)
    assert load(name, **options.get(name, {}))(case).device.type == "meta"


def test_cases_are_not_changed(arrays, case):
    before = case.fused.copy()
    panflow.assess(**arrays)
    for name in NAMES:
        load(name)(case)
    assert np.array_equal(case.fused, before)
    assert make_case(**arrays).cut(11).fused.shape == (1, 3, 72 - 21, 96 - 21)


# The search for the phase, which is the whole scene's business, is left out here.
OPTIONS = {name: {"phase": "nominal"} for name in ("r_sam", "r_ergas", "r_q", "r_q2n")} | {"r_q2n": {"block": 8}}
HALO = 160
TILES = [(top, bottom, left, right) for top, bottom in ((0, 128), (128, 260)) for left, right in ((0, 128), (128, 256))]


def tile(case: Case, core: tuple[int, int, int, int]) -> Case:
    pair = window(case.pair, *core, HALO)
    own = pan_core(pair)
    top, left = core[0] - own[0].start, core[2] - own[1].start
    at = (..., slice(top, top + pair.size[0]), slice(left, left + pair.size[1]))
    valid = None if case.valid is None or case.valid[at].all() else case.valid[at]
    return replace(
        case, fused=case.fused[at], reference=case.reference[at], pair=pair, valid=valid, core=own, cell=64, cache={}
    )


@pytest.mark.parametrize("name", NAMES)
def test_tiles_add_up_to_the_whole(name, whole):
    index = load(name, **OPTIONS.get(name, {}))
    found = Statistic.merged([Statistic.of(index, tile(whole, core)) for core in TILES])
    assert found.additive
    assert found.value(whole) == pytest.approx(float(index(whole)[0]), rel=1e-9)


# Without those on the MS grid, and D_sR, which has weights of its own in every tile.
@pytest.mark.parametrize("name", [n for n in NAMES if hasattr(load(n), "map") and n[:2] != "r_" and n != "d_sr"])
def test_maps_of_tiles_are_parts_of_the_map(name, whole):
    index = load(name)
    expected = index.map(whole)[0]
    for core in TILES:
        part = tile(whole, core)
        top, bottom, left, right = core
        np.testing.assert_allclose(part.cropped(index.map(part))[0], expected[top:bottom, left:right], 1e-9, 1e-12)
