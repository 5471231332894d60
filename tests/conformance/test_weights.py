"""Weights of the bands, of the methods that take them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from panflow import sensors
from panflow.errors import InputError, UnknownName
from panflow.ops.resample import ms_up, sense
from panflow.ops.spectral import pan_weights
from panflow.pairs import make_pair
from panflow.zoo import load

METHODS = ["brovey", "esri", "gs", "ihs"]
MIX = np.array([0.1, 0.5, 0.4, 0.0])


@pytest.fixture(scope="module")
def pair():
    """Four bands of their own, PAN a mix of them, MS what a sensor sees of them."""
    rng = np.random.default_rng(0)
    texture = sum(gaussian_filter(rng.normal(size=(4, 192, 192)), (0, s, s)) * s for s in (1, 4, 12))
    truth = np.array([400, 500, 700, 900])[:, None, None] + 120 * texture
    pair = make_pair(np.tensordot(MIX, truth, 1)[None], np.zeros((4, 96, 96)), sensor="ikonos")
    return replace(pair, ms=sense(truth[None], pair))


def fitted(method, pair, **options):
    return load(method, **options).fit([pair])


@pytest.mark.parametrize("method", METHODS)
def test_a_fit_shows_the_mix_that_pan_is(method, pair):
    kind, weights = fitted(method, pair).intensity
    assert kind == "fit" and np.abs(weights[0] - MIX).max() < 0.02


@pytest.mark.parametrize("method", METHODS)
def test_the_default_is_the_sensors_where_its_response_is_known(method, pair):
    landsat = replace(pair, sensor=sensors.fit_bands(sensors.load("landsat8"), 4))
    kind, weights = fitted(method, landsat).intensity
    assert kind == "sensor" and tuple(weights[0]) == pytest.approx(pan_weights(landsat.sensor))
    kind, weights = fitted(method, replace(pair, toolbox=True)).intensity
    assert kind == "mean" and (weights == 0.25).all()


@pytest.mark.parametrize("method", METHODS)
def test_numbers_are_taken_as_they_are_but_for_their_sum(method, pair):
    once, twice = (fitted(method, pair, weights=w)(pair) for w in ("1,2,3,4", (2, 4, 6, 8)))
    assert np.allclose(once, twice)
    assert fitted(method, pair, weights="mean")(pair) == pytest.approx(fitted(method, pair, weights="1,1,1,1")(pair))


def test_what_esri_adds_is_pan_less_the_weighted_mean(pair):
    bands = ms_up(pair)
    detail = pair.pan - np.tensordot(MIX, bands[0], 1)[None, None]
    assert np.allclose(fitted("esri", pair, weights=tuple(MIX))(pair), bands + detail)


@pytest.mark.parametrize("method", METHODS)
def test_bands_that_pan_does_not_reach_are_not_fitted(method, pair):
    landsat = replace(pair, sensor=sensors.fit_bands(sensors.load("landsat8"), 4, ["swir1", "green", "red", "nir"]))
    _, weights = fitted(method, landsat, weights="fit").intensity
    assert weights[0, 0] == weights[0, 3] == 0 and weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("weights", ["median", "1,x", "1,-1,1,1", "0,0,0,0", "nan,1,1,1", ""])
def test_what_is_no_weights_is_refused_before_any_work(weights):
    with pytest.raises(InputError, match="weights"):
        load("gs", weights=weights)


def test_what_does_not_fit_the_scene_is_refused(pair):
    with pytest.raises(InputError, match="2 numbers for 4 bands"):
        fitted("brovey", pair, weights="1,2")
    with pytest.raises(InputError, match="not known of ikonos"):
        fitted("brovey", pair, weights="sensor")


def test_options_that_are_none_are_refused():
    for method, problem in {"gsa": InputError, "bandwise": InputError, "bt_h": UnknownName}.items():
        with pytest.raises(problem, match="no option"):
            load(method, weights="fit")
