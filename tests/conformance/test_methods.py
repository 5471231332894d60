"""What every classical method keeps to: halos, tiles, masks, constants, ideal inputs, NumPy and torch alike."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from panflow import registry
from panflow.errors import InputError
from panflow.ops import kernels
from panflow.ops.resample import ms_up, sense
from panflow.ops.window import window
from panflow.pairs import make_pair
from panflow.types import Pair
from panflow.zoo import load

METHODS = registry.names("methods")
RAW = {"esri", "mean"}  # inject PAN without matching it to MS


def synthetic(height: int, width: int, ratio: float, phase, bands: int = 3, seed: int = 0) -> Pair:
    """Correlated bands of several scales, PAN their mean, MS what a sensor sees of them."""
    rng = np.random.default_rng(seed)
    texture = [gaussian_filter(rng.normal(size=(bands + 1, height, width)), (0, s, s)) * s for s in (1, 4, 12)]
    shared, own = sum(texture)[:1], sum(texture)[1:]
    level = np.linspace(400, 900, bands)[:, None, None]
    truth = np.maximum(level + 150 * shared + 60 * own, 20)[None]
    pan = truth.mean(axis=1, keepdims=True)
    pair = make_pair(pan, np.zeros((1, bands, round(height / ratio), round(width / ratio))), phase=phase)
    return replace(pair, ms=sense(truth, pair))


GEOMETRIES = {
    "ratio 2": lambda: synthetic(256, 240, 2, "corner"),
    "bands apart": lambda: synthetic(240, 256, 2, [(0.5, 0.5), (0.75, 0.3), (0.4, 1.0)], seed=1),
    "ratio 3/2": lambda: synthetic(210, 240, 1.5, (0.25, 0.4), seed=7),
    "ratio 10/3": lambda: synthetic(300, 280, 10 / 3, (1.1, 0.7), seed=2),
}


def cut(pair: Pair, halo: int | None) -> list[Pair]:
    (height, width), y, x = pair.size, 117, 131
    corners = [(0, y, 0, x), (0, y, x, width), (y, height, 0, x), (y, height, x, width)]
    return [window(pair, *corner, halo) for corner in corners]


def core_of(image, pair: Pair):
    top, bottom, left, right = pair.core
    return image[..., top:bottom, left:right]


def assert_close(found, expected, tolerance: float = 1e-9):
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("method", METHODS)
def test_tiles_equal_the_whole(method, geometry):
    pair = GEOMETRIES[geometry]()
    whole = load(method).fit([pair])(pair)
    fitted = load(method).fit(iter(cut(pair, load(method).halo(pair.ratio))))
    tiles = cut(pair, fitted.halo(pair.ratio))
    parts = [core_of(fitted(tile), tile) for tile in tiles]
    joined = np.concatenate([np.concatenate(parts[:2], axis=-1), np.concatenate(parts[2:], axis=-1)], axis=-2)
    assert joined.shape == whole.shape == (1, pair.bands, *pair.size)
    assert_close(joined, whole)


@pytest.mark.parametrize("method", METHODS)
def test_the_result_depends_on_mtf_gains_where_that_is_declared(method):
    pair = synthetic(96, 96, 2, "corner")
    fused = [
        load(method).fit([seen])(seen)
        for seen in (replace(pair, sensor=pair.sensor.with_gains([gain] * pair.bands)) for gain in (0.15, 0.45))
    ]
    assert np.array_equal(*fused) != load(method).uses_mtf


@pytest.mark.parametrize("method", METHODS)
def test_what_is_masked_enters_no_statistic(method):
    pair = synthetic(200, 240, 2, "corner", seed=3)
    edge = 150  # PAN columns from here on, and the MS pixels under them, hold garbage
    rng = np.random.default_rng(4)
    pan, ms = pair.pan.copy(), pair.ms.copy()
    pan[..., edge:] = rng.uniform(5e3, 1e4, pan[..., edge:].shape)
    ms[..., edge // 2 :] = rng.uniform(5e3, 1e4, ms[..., edge // 2 :].shape)
    garbled = replace(pair, pan=pan, ms=ms)
    pan_valid, ms_valid = np.ones_like(pan, dtype=bool), np.ones_like(ms[:, :1], dtype=bool)
    pan_valid[..., edge:] = ms_valid[..., edge // 2 :] = False
    masked = replace(garbled, pan_valid=pan_valid, ms_valid=ms_valid)
    # the same pixels around, but outside of the core: they cannot be counted
    beside = window(garbled, 0, 200, 0, edge, None)
    assert_close(load(method).fit([masked])(masked)[..., :edge], load(method).fit([beside])(beside)[..., :edge])


@pytest.mark.parametrize("method", METHODS)
def test_constant_image_stays_constant(method):
    levels = np.array([500.0, 500.0, 500.0]) if method in RAW else np.array([300.0, 520.0, 910.0])
    ms = np.ones((1, 3, 30, 28)) * levels[:, None, None]
    pair = make_pair(np.full((1, 1, 90, 84), 500.0), ms, phase=(0.7, 1.2))
    fused = load(method).fit([pair])(pair)
    assert np.abs(fused - levels[:, None, None]).max() < 1e-6


@pytest.mark.parametrize("method", ["bayes", "brovey", "esri", "exp", "gs", "ihs", "lmvm", "mean", "pca"])
def test_pan_that_shows_no_more_than_the_band_changes_nothing(method):
    pair = synthetic(96, 80, 2, "corner", bands=1)
    pair = replace(pair, pan=ms_up(pair))
    assert_close(load(method).fit([pair])(pair), ms_up(pair), 1e-7)


@pytest.mark.parametrize("method", ["mtf_glp_cbd", "mtf_glp_fs"])
@pytest.mark.parametrize(("gain", "offset"), [(1.0, 0.0), (0.4, 30.0)])
def test_band_that_the_sensor_saw_of_pan_is_found_again(method, gain, offset):
    pair = synthetic(96, 80, 4, "corner", bands=1)
    seen = sense(pair.pan, pair) / kernels.mtf(pair.sensor.gains[0], pair.ratio).full().sum()
    pair = replace(pair, ms=gain * seen + offset)
    assert_close(load(method).fit([pair])(pair), gain * pair.pan + offset)


@pytest.mark.parametrize("method", METHODS)
def test_numpy_equals_torch(method):
    pair = synthetic(90, 80, 10 / 3, (1.1, 0.7), bands=4)
    tensors = replace(pair, pan=torch.as_tensor(pair.pan), ms=torch.as_tensor(pair.ms))
    fused = load(method).fit([tensors])(tensors)
    assert isinstance(fused, torch.Tensor) and fused.dtype == torch.float64
    assert_close(fused.numpy(), load(method).fit([pair])(pair))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bands", [1, 6])
def test_any_number_of_bands_and_a_batch(method, bands):
    one, other = (synthetic(60, 72, 3, "centre", bands, seed) for seed in (5, 6))
    both = replace(one, pan=np.concatenate([one.pan, other.pan]), ms=np.concatenate([one.ms, other.ms]))
    fused = load(method).fit([both])(both)
    for member, pair in zip(fused, (one, other)):
        assert_close(member, load(method).fit([pair])(pair)[0])


@pytest.mark.parametrize("method", METHODS)
def test_dark_pan_blows_nothing_up(method):
    pair = synthetic(96, 80, 4, "corner")
    pan = pair.pan.copy()
    pan[..., 30:60, 20:50] = 0
    dark = replace(pair, pan=pan)
    fused = load(method).fit([dark])(dark)
    assert np.abs(fused).max() < 10 * pair.ms.max()


@pytest.mark.parametrize("method", METHODS)
def test_float32_stays_float32_and_close(method):
    pair = synthetic(96, 80, 4, "corner", bands=4)
    single = replace(pair, pan=pair.pan.astype(np.float32), ms=pair.ms.astype(np.float32))
    fused = load(method).fit([single])(single)
    assert fused.dtype == np.float32
    assert_close(fused, load(method).fit([pair])(pair), 1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_says_what_it_is(method):
    kind = registry.get("methods", method).Method
    root = Path(__file__).parents[2]
    keys = set(re.findall(r"^@\w+\{(\w+),", (root / "references.bib").read_text(), flags=re.M))
    assert kind.citation in keys
    assert kind.family and kind.summary and "[B, C, H, W]" in kind.__doc__
    table = (root / "docs/use/methods.md").read_text().splitlines()
    cells = next(
        ([c.strip() for c in line.split("|")[1:-1]] for line in table if line.startswith(f"| `{method}` |")), None
    )
    assert cells, f"docs/use/methods.md has no row for {method}"
    assert cells[2:] == [kind.summary, str(load(method).halo((4, 4)))]


@pytest.mark.parametrize("method", METHODS)
def test_scene_without_a_valid_pixel_gives_numbers(method):
    pair = synthetic(60, 72, 3, "corner")
    nothing = np.zeros_like(pair.pan, dtype=bool)
    empty = replace(pair, pan_valid=nothing, ms_valid=nothing[..., :20, :24])
    assert np.isfinite(load(method).fit([empty])(empty)).all()


def test_options_that_do_not_fit_are_refused():
    pair = synthetic(60, 72, 3, "corner")
    with pytest.raises(InputError, match="one a band"):
        load("esri", weights=(0.5, 0.5)).fit([pair])(pair)
    with pytest.raises(InputError, match="expected PAN's"):
        load("c_gsa", labels=np.zeros((1, 1, 9, 9), dtype=int)).fit([pair])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("spread", [150, 1e-3], ids=["noise", "nearly constant"])
def test_gains_are_bounded_where_pan_has_nothing_in_common_with_ms(method, spread):
    pair = GEOMETRIES["ratio 2"]()
    noise = np.random.default_rng(3).normal(float(pair.pan.mean()), spread, pair.pan.shape)
    pair = replace(pair, pan=noise)
    fused, bands = load(method).fit([pair])(pair), ms_up(pair)
    calm = (fused.std(axis=(2, 3)) < 4 * bands.std(axis=(2, 3))).all()
    modulated = ((fused >= 0) & (fused <= 10.001 * bands)).all()  # of methods whose details follow the bands' values
    assert calm or modulated
