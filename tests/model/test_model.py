"""A model around networks: files, tiles, masks, kinds of arrays, and where MS lies."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from small import BANDWISE, PLAIN, made, tiled

import panflow
from panflow.data import synthetic
from panflow.errors import InputError, UnknownName
from panflow.learned import blocks
from panflow.learned.file import open_model, save
from panflow.learned.inputs import coarse
from panflow.ops.window import tiles, window
from panflow.pairs import with_validity
from panflow.sensors import load

SCENE = {"name": "unipan", "m": 50}


def fixed(name: str, **options) -> dict:
    return {"name": name, "bands": 4, **options}


@pytest.mark.parametrize("network", [BANDWISE, fixed("pannet", width=4, blocks=1), fixed("pnn", widths=[4, 4])])
@pytest.mark.parametrize("transform", [PLAIN, SCENE], ids=["scale", "unipan"])
def test_a_file_gives_the_same_model(tmp_path, pair, network, transform):
    model = made(network, transform)
    save(model, tmp_path / "m.safetensors", scores={"x": 1})
    again = open_model(tmp_path / "m.safetensors")
    assert np.array_equal(model.fit([pair])(pair), again.fit([pair])(pair))
    assert again.sensor == load("ikonos") and again.info["scores"] == {"x": 1} and again.info["licence"] == "Apache-2.0"
    assert not list(tmp_path.glob("*.part"))
    assert panflow.load(tmp_path / "m.safetensors").recipe == model.recipe


def test_blocks_are_halved_where_memory_does_not_suffice():
    """A device whose memory suffices for so many pixels a side."""
    scene = synthetic.scene((264, 280), load("ikonos"), seed=3)
    model = made(BANDWISE).fit([scene])
    expected, widths = model(scene), []

    def refuse(most: int):
        def hook(_, inputs, named):
            widths.append(max(x.shape[-1] for x in (*inputs, *named.values()) if torch.is_tensor(x)))
            if widths[-1] > most:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

        return model.network.register_forward_pre_hook(hook, with_kwargs=True)

    with refuse(90):
        assert np.abs(model(scene) - expected).max() < 1e-3
    assert max(widths) > 90 > min(widths)
    with refuse(30), pytest.raises(torch.OutOfMemoryError):
        model(scene)


def test_learned_tables_are_in_the_file(tmp_path, pair):
    model = made(BANDWISE, {"name": "unipan", "m": 50, "fit": "train"})
    model.transform.learn(model._arrays(p) for p in [pair])
    save(model, tmp_path / "m.safetensors")
    dark = replace(pair, ms=pair.ms * 0.7, pan=pair.pan * 0.7)
    again = open_model(tmp_path / "m.safetensors").fit([dark])
    assert np.array_equal(again(dark), model.fit([dark])(dark))
    scene = made(BANDWISE, {"name": "unipan", "m": 50}).fit([dark])
    assert not np.allclose(again(dark), scene(dark))


def test_files_of_0_1_open(tmp_path, pair):
    model = made(BANDWISE, back_projection=2)
    recipe = model.recipe | {"consistency": 2}
    del recipe["back_projection"]
    save(replace(model, recipe=recipe), tmp_path / "m.safetensors")
    again = open_model(tmp_path / "m.safetensors")
    assert again.recipe == model.recipe
    assert np.array_equal(again.fit([pair])(pair), model.fit([pair])(pair))


def test_foreign_files_are_refused(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"no such thing")
    with pytest.raises(InputError, match="is no model file"):
        open_model(tmp_path / "a.safetensors")
    save_file({"x": torch.ones(1)}, tmp_path / "b.safetensors")
    with pytest.raises(InputError, match="holds no recipe"):
        open_model(tmp_path / "b.safetensors")


@pytest.mark.parametrize(
    "network",
    [
        BANDWISE,
        fixed("fusionnet", width=4, blocks=1),
        fixed("pannet", width=4, blocks=1),
        fixed("otfm", widths=[8, 8, 8], condition=8, head=4, mixers=["conv", "conv", "conv"]),
    ],
    ids=lambda network: network["name"],
)
@pytest.mark.parametrize("phase", [(1.5, 1.5), (2.0, 2.0), (-0.5, 3.0)])
def test_tiles_equal_the_whole(pair, network, phase):
    moved = replace(pair, phase=(phase,) * 4)
    model = made(network, SCENE if network is BANDWISE else PLAIN)
    if network["name"] == "otfm":
        model = replace(model, network=near(model.network))
    fitted = model.fit([window(moved, *core, model.halo(moved.ratio)) for core in tiles(moved.size, 64)])
    np.testing.assert_allclose(tiled(fitted, moved, 64), fitted(moved), rtol=0, atol=0.01)  # counts


def near(network):
    """OTFM's network claims a reach of hundreds of pixels; what its small form reaches in truth is enough here."""
    network.halo = 64
    return network


@pytest.mark.parametrize("name", ["fusionnet", "pannet"])
def test_blocks_inside_equal_the_whole(pair, monkeypatch, name):
    model = made(fixed(name, width=4, blocks=1)).fit([pair])
    whole = model(pair)
    monkeypatch.setattr(blocks, "SIDE", 32)
    monkeypatch.setattr(blocks, "HALOS", 1)
    np.testing.assert_allclose(model(pair), whole, rtol=0, atol=0.01)


def test_a_global_network_takes_the_whole_image_unless_told_otherwise(tmp_path, pair):
    model = made(fixed("lagconv", width=4))
    assert model.halo((4.0, 4.0)) is None
    save(model, tmp_path / "m.safetensors")
    assert open_model(tmp_path / "m.safetensors", context=32).halo((4.0, 4.0)) > 32


def test_pixels_without_data_change_nothing_elsewhere(pair):
    hole = np.ones(pair.pan.shape, dtype=bool)
    hole[..., 100:, 100:] = False
    seen = np.ones((1, 1, *pair.ms_size), dtype=bool)
    seen[..., 25:, 25:] = False
    model = made(BANDWISE, SCENE)
    fused = []
    for value in (0.0, 5000.0):
        pan = np.where(hole, pair.pan, value)
        masked = with_validity(replace(pair, pan=pan, ms=np.where(seen, pair.ms, value)), hole, seen)
        fused.append(model.fit([masked])(masked)[..., :64, :64])
    np.testing.assert_allclose(*fused, rtol=0, atol=1e-3)


def test_numpy_equals_torch(pair):
    model = made(BANDWISE, SCENE)
    tensors = replace(pair, pan=torch.from_numpy(pair.pan), ms=torch.from_numpy(pair.ms), reference=None)
    fused = model.fit([tensors])(tensors)
    assert isinstance(fused, torch.Tensor) and fused.dtype == tensors.ms.dtype
    np.testing.assert_array_equal(fused.numpy(), model.fit([pair])(pair))


def test_any_bands_and_ratio_with_the_network_of_any_bands():
    scene = synthetic.scene(90, load("landsat8"), seed=1, ratio=2)
    assert made(BANDWISE, SCENE).fit([scene])(scene).shape == (1, scene.bands, 90, 90)


def test_a_scene_that_does_not_fit_is_refused(pair):
    with pytest.raises(InputError, match="is for 3 bands and the scene has 4"):
        made({"name": "fusionnet", "bands": 3, "width": 4}).fit([pair])(pair)
    halved = replace(pair, ratio=(2.0, 2.0), pan=pair.pan[..., ::2, ::2], reference=None)
    with pytest.raises(InputError, match="is for a ratio of 4"):
        made(fixed("pannet", width=4, blocks=1)).fit([halved])(halved)
    with pytest.raises(InputError, match=r"call fit\(\[pair\]\) first"):
        made(BANDWISE, PLAIN)(pair)


def test_sizes_that_do_not_divide_are_reflected():
    scene = synthetic.scene((61, 67), load("ikonos"), seed=2)
    assert (np.array(scene.size) % 4).any()
    fused = made(fixed("pannet", width=4, blocks=1)).fit([scene])(scene)
    assert fused.shape == (1, 4, *scene.size) and np.isfinite(fused).all()


def test_unknown_options_are_named():
    with pytest.raises(UnknownName, match="did you mean 'width'"):
        made({"name": "bandwise", "widh": 3})


class TestWhereMsLies:
    """What networks see that take `ms` itself."""

    def seen(self, pair, phase: float | None) -> np.ndarray:
        more = {} if phase is None else {"phase": phase}
        model = made(fixed("pannet", width=4, blocks=1), **more)
        return model.fit([pair]).batch(pair).inputs["ms"].numpy() * 2047

    def test_as_it_comes(self, pair):
        np.testing.assert_allclose(self.seen(pair, None), pair.ms, rtol=1e-6)
        np.testing.assert_allclose(self.seen(pair, pair.phase[0][0]), pair.ms, rtol=1e-6)

    def test_context_is_cut_away(self, pair):
        tile = window(pair, 64, 96, 32, 80, 16)
        assert tile.ms_size != coarse(tile.size, tile.ratio)
        seen = self.seen(tile, None)
        np.testing.assert_allclose(seen, pair.ms[..., 12:28, 4:24], rtol=1e-6)

    def test_moved_to_where_the_network_knows_it(self, pair):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            moved = self.seen(replace(pair, phase=((5.5, 1.5),) * 4), 1.5)  # a whole MS pixel further down
        np.testing.assert_allclose(moved[..., 1:, :], pair.ms[..., :-1, :], rtol=1e-6)
        shifted = self.seen(replace(pair, phase=((2.0, 2.0),) * 4), 1.5)
        assert 0.01 < np.abs(shifted - pair.ms).std() / pair.ms.std() < 0.5
