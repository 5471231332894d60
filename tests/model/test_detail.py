"""The default as sharp as PAN, and as the MS sensor would see it: what each of the two answers is for."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import panflow
from panflow import sensors, zoo
from panflow.data import synthetic
from panflow.data.observed import Optics, observe
from panflow.errors import UnknownName
from panflow.ops.window import window


@pytest.fixture(scope="module")
def pair():
    truth = synthetic.scene(256, sensors.load("geoeye1"), seed=51, noise=0.0)
    return observe(truth, Optics(stated=1.5), 1)


def sharpened(pair, **options):
    return panflow.sharpen(pair.pan[0], pair.ms[0], sensor=pair.sensor, phase=pair.phase, **options).astype(float)


def ergas(fused, truth):
    inside = (..., slice(8, -8), slice(8, -8))
    return panflow.assess(fused[inside], indices=["ergas"], reference=truth[inside])["ergas"]


def fine(image):
    return (image - gaussian_filter(image, 1.5))[24:-24, 24:-24]


def test_it_has_pans_detail_and_is_nearer_to_the_truth_than_classical_methods(pair):
    truth = np.asarray(pair.reference, float)[0]
    fused = sharpened(pair)
    smooth = np.stack([gaussian_filter(band, 6).ravel() for band in fused] + [np.ones(fused[0].size)], 1)
    weights = np.linalg.lstsq(smooth, gaussian_filter(pair.pan[0, 0].astype(float), 6).ravel(), rcond=None)[0][:-1]
    mix, pan = fine(np.tensordot(weights, fused, 1)), fine(pair.pan[0, 0].astype(float))
    assert 0.95 < (mix * pan).sum() / (pan * pan).sum() < 1.05
    assert np.corrcoef(mix.ravel(), pan.ravel())[0, 1] > 0.98
    best = min(ergas(sharpened(pair, method=name), truth) for name in ("bt_h", "gsa", "mtf_glp_hpm_r"))
    assert ergas(fused, truth) < 0.8 * best


@pytest.mark.parametrize("name", ["geoeye1", "worldview3"])
def test_an_mtf_that_is_a_tenth_off_costs_next_to_nothing(name):
    seen = observe(synthetic.scene(256, sensors.load(name), seed=61, noise=0.0), Optics(spread=0), 61)
    truth = np.asarray(seen.reference, float)[0]
    errors = {
        share: ergas(sharpened(seen, mtf=[share * gain for gain in seen.sensor.gains]), truth)
        for share in (0.9, 1.0, 1.1)
    }
    assert max(errors.values()) < 1.05 * errors[1.0]


def test_the_soft_answer_is_the_better_one_where_the_truth_is_ms(pair):
    soft = np.asarray(pair.reference)[0]
    soft = np.stack([gaussian_filter(band.astype(float), 1.0) for band in soft])
    ms = synthetic.scene(256, sensors.load("geoeye1"), seed=51, noise=0.0)
    seen = observe(ms.__class__(**{**vars(ms), "reference": soft[None]}), Optics(spread=0, movers=0), 1)
    given = {"sensor": seen.sensor, "phase": seen.phase}
    errors = {d: ergas(panflow.sharpen(seen.pan[0], seen.ms[0], detail=d, **given), soft) for d in ("pan", "ms")}
    assert errors["ms"] < 0.8 * errors["pan"]


def test_a_tile_is_as_the_whole(pair):
    fitted = zoo.load().fit([pair])
    whole = fitted(pair)
    core = (64, 160, 96, 192)
    tile = window(pair, *core, fitted.halo(pair.ratio))
    top, bottom, left, right = tile.core
    part = fitted(tile)[..., top:bottom, left:right]
    np.testing.assert_allclose(part, whole[..., 64:160, 96:192], rtol=1e-4, atol=0.1)


def test_another_detail_is_refused():
    with pytest.raises(UnknownName, match="detail"):
        zoo.load(detail="mss")
