"""Models that start from noise: the same result in whatever tiles, another one for another seed."""

from dataclasses import replace

import numpy as np
import pytest
from small import BANDWISE, made, tiled

import panflow
from panflow.data import synthetic
from panflow.learned import blocks
from panflow.learned.file import save
from panflow.scene import engine

DIFFUSION = {"name": "diffusion", "length": 50, "scale": 0.3, "steps": 3}
RATIO = (4.0, 4.0)


@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
def test_tiles_equal_the_whole_and_follow_the_seed(pair, sampler):
    model = made(BANDWISE, objective=DIFFUSION | {"sampler": sampler}).fit([pair])
    whole = model(pair)
    for side in (40, 64):
        np.testing.assert_allclose(tiled(model, pair, side), whole, rtol=0, atol=0.01)  # counts
    assert np.abs(replace(model, seed=1)(pair) - whole).max() > 10


def test_blocks_inside_equal_the_whole(pair, monkeypatch):
    model = made(BANDWISE, objective=DIFFUSION | {"sampler": "ddpm"}).fit([pair])
    whole = model(pair)
    monkeypatch.setattr(blocks, "SIDE", 32)
    monkeypatch.setattr(blocks, "HALOS", 1)
    np.testing.assert_allclose(model(pair), whole, rtol=0, atol=0.01)


def test_scenes_do_not_depend_on_their_blocks(pair, tmp_path, monkeypatch):
    import rasterio

    synthetic.write(pair, tmp_path)
    model = made(BANDWISE, objective=DIFFUSION | {"sampler": "ddpm"})
    save(model, tmp_path / "m.safetensors")
    found = []
    for block in (64, 512):
        monkeypatch.setattr(engine, "BLOCK", block)
        out, method = tmp_path / f"{block}.tif", str(tmp_path / "m.safetensors")
        report = panflow.sharpen_file(
            tmp_path / "pan.tif",
            tmp_path / "ms.tif",
            out,
            method=method,
            seed=7,
            sensor="ikonos",
            profile=panflow.Profile("float32"),
        )
        assert report.evaluations == DIFFUSION["steps"]
        with rasterio.open(out) as dataset:
            found.append(dataset.read())
    np.testing.assert_allclose(*found, rtol=0, atol=0.5)  # the scene's statistics are summed in another order


def test_every_step_of_a_sampler_sees_further():
    one, three = (made(BANDWISE, objective=DIFFUSION | {"steps": steps}).halo(RATIO) for steps in (1, 3))
    assert three - one == pytest.approx(2 * made(BANDWISE, objective=DIFFUSION).network.halo, abs=4)


def test_samplers_that_see_too_far_take_the_whole_image_unless_told():
    model = made(BANDWISE, objective=DIFFUSION | {"length": 200, "steps": 200})
    assert model.halo(RATIO) is None and not model.depends_on_tiles
    told = replace(model, context=32)
    assert 32 < told.halo(RATIO) < 200 and told.depends_on_tiles
