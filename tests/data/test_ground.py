"""Ground to learn from and the sensors that see it."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio
import torch
from scipy.io import savemat

from panflow.data import _augment, geotiff
from panflow.data._augment import MARGIN, Augment, Ground, valid_corners
from panflow.data.geotiff import Source
from panflow.errors import InputError, MissingInput
from panflow.ops import kernels
from panflow.ops.resample import decimate

TILE = 32
PLAIN = Augment(  # nothing is drawn but the place, its turn and the phase
    ratios=(4,), bands=(3,), gain=(0.3, 0.3), spread=0.0, aliased=0.0, shift_share=0.0, fringe_share=0.0,
    curve=(1.0, 1.0), pan_noise=0.0, ms_noise=0.0, haze=0.0, mixed=0.0,
)  # fmt: skip


def ground(bands: int = 3, size: int = 80, seed: int = 0) -> Ground:
    rng = np.random.default_rng(seed)
    image = (rng.random((bands, size, size)) * 100 + 50).astype(np.float32)
    return Ground(image, image, valid_corners(np.ones((size, size), bool), TILE))


def test_a_step_is_a_function_of_seed_and_step():
    first, again, later, other = (
        _augment.draw([ground()], Augment(), TILE, 12, *moment) for moment in ((7, 3), (7, 3), (7, 4), (8, 3))
    )
    for name in ("pan", "ms", "reference"):
        assert torch.equal(getattr(first, name), getattr(again, name))
    assert first.phase == again.phase
    assert not any(torch.equal(first.ms, pair.ms) for pair in (later, other))


def test_ms_is_what_the_sensor_sees_of_the_reference():
    for step in range(5):
        pair = _augment.draw([ground()], PLAIN, TILE, 6, 0, step)
        seen = decimate(pair.reference, kernels.mtf(0.3, (4, 4), 1e-5), (4, 4), pair.phase[0], pair.ms_size)
        torch.testing.assert_close(pair.ms, seen)
        assert set(pair.sensor.gains) == {0.3} and pair.bands == 3 and len(pair.ms) == 2


def test_pan_lies_on_the_reference_and_is_a_mix_of_its_bands():
    for step in range(5):
        pair = _augment.draw([ground()], PLAIN, TILE, 3, 1, step)
        bands = pair.reference[0].flatten(1).double()
        mix = torch.linalg.lstsq(bands.T, pair.pan.flatten().double()[:, None]).solution
        assert torch.allclose(bands.T @ mix, pair.pan.flatten().double()[:, None], atol=1e-2)
        assert float(mix.sum()) == pytest.approx(1, abs=1e-3) and (mix > -1e-3).all()


def test_a_shift_moves_pan_against_the_reference():
    options = replace(PLAIN, shift=1.0, shift_share=1.0)
    smooth = np.add.outer(np.arange(80.0), 3 * np.arange(80.0))[None].repeat(3, 0).astype(np.float32)
    place = Ground(smooth, smooth, valid_corners(np.ones((80, 80), bool), TILE))
    moved = [_augment.draw([place], options, TILE, 3, 2, step) for step in range(8)]
    offsets = [float((p.pan - p.reference[:, :1])[..., 8:-8, 8:-8].mean()) for p in moved]
    assert np.std(offsets) > 0.3 and np.abs(offsets).max() <= 4.01  # at most one pixel along each slope


@pytest.mark.parametrize("light", [3, 1])  # bands of which PAN is made, or a real one
def test_the_truth_and_pan_may_be_soft_each_for_itself(light):
    place, contrast = replace(ground(), light=ground().light[:light]), {"truth": [], "pan": []}
    for step in range(6):
        sharp, soft, soft_pan = (
            _augment.draw([place], replace(PLAIN, **options), TILE, 6, 5, step)
            for options in ({}, {"soft": 1.5, "soft_share": 1.0}, {"soft_pan": 1.5, "soft_pan_share": 1.0})
        )
        assert torch.equal(sharp.pan, soft.pan) and torch.equal(sharp.reference, soft_pan.reference)
        assert soft.reference.mean() == pytest.approx(float(sharp.reference.mean()), rel=0.03)
        contrast["truth"].append(float(soft.reference.std() / sharp.reference.std()))
        contrast["pan"].append(float(soft_pan.pan.std() / sharp.pan.std()))
    for ratios in contrast.values():
        assert min(ratios) < 0.5 and max(ratios) <= 1.0001


def test_more_bands_than_the_ground_has_are_blends():
    pair = _augment.draw([ground(2)], replace(PLAIN, bands=(5,)), TILE, 5, 0, 0)
    flat = pair.reference[0].flatten(1)
    assert pair.bands == 5 and torch.linalg.matrix_rank(flat - flat.mean(1, keepdim=True), rtol=1e-3) == 2


def test_corners_keep_out_of_what_is_invalid():
    valid = np.ones((90, 90), bool)
    valid[:, 60:] = False
    corners = valid_corners(valid, TILE)
    assert len(corners) and corners[:, 1].max() <= 60 - (TILE + 2 * MARGIN) + 1
    assert not len(valid_corners(np.ones((20, 20), bool), TILE))


def write(path, image: np.ndarray, pixel: float, nodata: float | None = None) -> None:
    profile = {"count": len(image), "height": image.shape[1], "width": image.shape[2], "dtype": "float32"}
    with rasterio.open(
        path, "w", driver="GTiff", crs="EPSG:32631", nodata=nodata,
        transform=rasterio.Affine(pixel, 0, 0, 0, -pixel, 0), **profile,
    ) as file:  # fmt: skip
        file.write(image.astype(np.float32))


def test_a_pair_of_files_reduces_pan_to_the_ms(tmp_path):
    (tmp_path / "place").mkdir()
    fine = np.add.outer(np.arange(320.0), 2 * np.arange(320.0))[None] + 10
    coarse = fine.reshape(1, 80, 4, 80, 4).mean((2, 4))
    write(tmp_path / "place/pan.tif", fine, 1.0)
    write(tmp_path / "place/ms.tif", np.concatenate([coarse, 2 * coarse]), 4.0)
    (found,) = geotiff.grounds(Source("place", pan="pan.tif", weight=3.0), tmp_path, TILE)
    assert found.reference.shape == (2, 80, 80) and found.light.shape == (1, 80, 80)
    np.testing.assert_allclose(found.light[:, 8:-8, 8:-8], coarse[:, 8:-8, 8:-8], rtol=1e-4)
    assert found.weight == 3.0


def test_bands_without_pan_come_at_several_scales(tmp_path):
    (tmp_path / "place").mkdir()
    write(tmp_path / "place/a.tif", np.full((3, 128, 128), 7.0), 1.0)
    found = geotiff.grounds(Source("place", ms=("*.tif",), each=True, scales=(1, 2)), tmp_path, TILE)
    assert [g.reference.shape[-1] for g in found] == [128, 64]
    np.testing.assert_allclose(found[1].reference, 7.0, rtol=1e-3)  # MTF filters sum to 1 about, as in the toolbox
    np.testing.assert_allclose(found[1].light, 7.0, rtol=1e-5)


def test_nodata_and_zeros_are_left_out(tmp_path):
    (tmp_path / "place").mkdir()
    image = np.full((2, 96, 96), 9.0)
    image[0, :48] = -5
    image[1, :, :20] = 0
    write(tmp_path / "place/a.tif", image, 1.0, nodata=-5)
    (found,) = geotiff.grounds(Source("place", ms=("a.tif",)), tmp_path, TILE)
    assert found.corners.min(0).tolist() == [48, 20]
    assert (found.reference == 9).all()


def test_mat_files(tmp_path):
    (tmp_path / "place").mkdir()
    savemat(tmp_path / "place/a.mat", {"I_MS": np.full((60, 60, 4), 3.0), "I_PAN": np.full((120, 120), 5.0)})
    (found,) = geotiff.grounds(Source("place", ms=("*.mat",), each=True, phase="corner"), tmp_path, TILE)
    assert found.reference.shape == (4, 60, 60) and found.light.shape == (1, 60, 60)
    savemat(tmp_path / "place/a.mat", {"x": 1})
    with pytest.raises(InputError, match="expected I_MS and I_PAN"):
        geotiff.grounds(Source("place", ms=("*.mat",), each=True), tmp_path, TILE)


def test_absent_files_are_named(tmp_path):
    with pytest.raises(MissingInput, match=r"give --data"):
        geotiff.grounds(Source("place"), tmp_path, TILE)
    (tmp_path / "place").mkdir()
    with pytest.raises(MissingInput, match=r"holds no file 'ms\.tif'"):
        geotiff.grounds(Source("place"), tmp_path, TILE)
    with pytest.raises(InputError, match=r"without \*\*"):
        geotiff.grounds(Source("place", ms=("**",)), tmp_path, TILE)
    write(tmp_path / "place/ms.tif", np.ones((1, 20, 20)), 1.0)
    with pytest.raises(InputError, match="has no room for a tile of 32"):
        geotiff.grounds(Source("place"), tmp_path, TILE)
