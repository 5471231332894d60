"""What is made consistent is MS when it is degraded again, as far as optics and noise allow; and it is local."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio

import panflow
from panflow.data import synthetic
from panflow.data.observed import Optics, observe
from panflow.indices._case import Case
from panflow.indices._reproject import reprojected
from panflow.ops import consistency
from panflow.ops.mtf import with_mtf
from panflow.ops.resample import ms_up
from panflow.ops.window import window
from panflow.pairs import doubled, make_pair
from panflow.sensors import load

INSIDE = np.s_[..., 4:-4, 4:-4]
# by sensor, ratio and phase: grids that share corners or not, ratios that are not whole
SCENES = [
    ("ikonos", None, None),
    ("worldview3", None, (1.25, 2.0)),
    ("landsat8", None, (0.0, 0.0)),
    ("quickbird", 3.7, None),
]
REAL = ["restricted/ikonos", "restricted/worldview2", "restricted/gaofen2-full-0", "restricted/spot6-cropland"]
REAL += ["open/worldview2-rotterdam-1", "open/landsat8-madrid"]


def drawn(sensor="ikonos", ratio=None, phase=None, size=256, **options):
    scene = synthetic.scene(size, load(sensor), ratio=ratio, phase=phase, seed=4, **options)
    return doubled(scene)


def rms(image, pair):
    count, squares, _ = consistency.lacking(image, pair)
    assert (count > 0.6 * np.prod(pair.ms_size)).all()
    return np.sqrt(squares / count)


@pytest.mark.parametrize(("sensor", "ratio", "phase"), SCENES)
def test_degraded_again_it_is_ms(sensor, ratio, phase):
    pair = drawn(sensor, ratio, phase)
    for fused in (ms_up(pair), panflow.load("gsa").fit([pair])(pair)):
        before, after = rms(fused, pair), rms(consistency.consistent(fused, pair), pair)
        assert (after < 0.05 * before).all()


@pytest.mark.parametrize("noise", [0.003, 0.01])
def test_the_unknown_is_reached_too(noise):
    """Other optics than are named, displaced bands, noise and movers: MS is what was measured all the same."""
    pair = doubled(observe(drawn(noise=0.0), Optics(ms_noise=noise, movers=1000), 5))
    fused = panflow.load("mtf_glp_fs").fit([pair])(pair)
    assert (rms(consistency.consistent(fused, pair), pair) < 0.05 * rms(fused, pair)).all()


@pytest.mark.parametrize("name", REAL)
def test_real_scenes(shared, name):
    """Where MS's optics let a fifth through at its Nyquist frequency, all of MS is restored; elsewhere what they do."""
    if not (shared / "data" / name / "pan.tif").exists():
        pytest.skip(f"no {name} in {shared}")
    pan, ms = (rasterio.open(shared / "data" / name / f"{each}.tif").read().astype(float) for each in ("pan", "ms"))
    ratio = round(pan.shape[1] / ms.shape[1])
    ms = ms[:, :64, :64]
    pair = with_mtf(make_pair(pan[:, : 64 * ratio, : 64 * ratio], ms), "auto")
    fused = panflow.load("gsa").fit([pair])(pair)
    bound = 0.05 if min(pair.sensor.gains) > 0.2 else 0.6
    assert (rms(consistency.consistent(fused, pair), pair) < bound * rms(fused, pair)).all()


def test_it_sees_as_the_indices_do():
    pair = drawn(phase=(1.0, 1.75))
    case = reprojected(Case(pair.reference, pair.sensor, pair.ratio, pair=pair))
    np.testing.assert_allclose(consistency.seen(pair.reference, pair), case.fused, rtol=1e-12)


def test_the_truth_stays():
    pair = drawn(noise=0.0)
    pair = replace(pair, ms=consistency.seen(pair.reference, pair))
    np.testing.assert_array_equal(consistency.consistent(pair.reference, pair), pair.reference)


@pytest.mark.parametrize("gain", [0.02, 0.05, 0.3, 0.8])
def test_noise_of_ms_is_amplified_within_bounds(gain):
    """Where the optics let next to nothing through, an inverse would amplify it hundreds of times."""
    pair = drawn()
    pair = replace(pair, sensor=pair.sensor.with_gains([gain] * pair.bands))
    noise = np.random.default_rng(0).standard_normal(pair.ms.shape)
    flat = np.zeros((1, pair.bands, *pair.size))
    change = consistency.consistent(flat, replace(pair, ms=noise))[INSIDE]
    assert 0.2 < change.std() < 4


def test_a_level_is_corrected_without_ripple():
    pair = drawn()
    lifted = replace(pair, ms=consistency.seen(pair.reference, pair) + 50)
    change = consistency.consistent(pair.reference, lifted) - pair.reference
    np.testing.assert_allclose(change, 50, atol=0.01)


@pytest.mark.parametrize(("sensor", "ratio", "phase"), SCENES)
def test_tiles_equal_the_whole(sensor, ratio, phase):
    pair = drawn(sensor, ratio, phase, size=480)
    whole = consistency.consistent(ms_up(pair), pair)
    part = window(pair, 208, 272, 200, 264, consistency.halo(pair.ratio))
    top, bottom, left, right = part.core
    cut = consistency.consistent(ms_up(part), part)[..., top:bottom, left:right]
    np.testing.assert_allclose(cut, whole[..., 208:272, 200:264], atol=1e-5 * whole.max())


def test_every_pixel_of_ms_is_counted_once():
    pair, cores = drawn("worldview3", 3.7, (-0.5, 1.5)), [(0, 100, 0, 256), (100, 256, 0, 77), (100, 256, 77, 256)]
    image = ms_up(pair)
    whole, parts = consistency.lacking(image, pair), [consistency.lacking(image, replace(pair, core=c)) for c in cores]
    np.testing.assert_allclose(sum(part[:2] for part in parts), whole[:2])
    np.testing.assert_array_equal(np.max([part[2] for part in parts], axis=0), whole[2])


def test_pixels_that_see_nodata_have_no_say():
    pair = drawn(nodata=0.3)
    low, high = (np.where(pair.pan_valid, ms_up(pair), beside) for beside in (0.0, pair.ms.max()))
    assert (rms(consistency.consistent(low, pair), pair) < 0.05 * rms(low, pair)).all()
    changes = [consistency.consistent(image, pair) - image for image in (low, high)]
    difference = (changes[0] - changes[1])[np.broadcast_to(pair.pan_valid, low.shape)]
    assert np.sqrt((difference**2).mean()) < 0.01 * pair.ms.std()
