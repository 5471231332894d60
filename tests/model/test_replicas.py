"""A model on several devices is the model: the same pixels, and tiles on all of them."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import rasterio
import torch
from small import BANDWISE, made

import panflow
from panflow.data import synthetic
from panflow.errors import InputError
from panflow.learned.file import save
from panflow.learned.replicas import Replicas
from panflow.sensors import load

UNIPAN = {"name": "unipan", "m": 50}


def test_every_replica_gives_the_pixels_of_the_model(pair):
    model = made(BANDWISE, UNIPAN).on("torch")
    expected, replicas = model.fit([pair])(pair), Replicas.of(model, ["cpu", "cpu"]).on("torch").fit([pair])
    first, second = replicas.models
    assert first.network is not second.network
    for one in (first, second, replicas):
        assert np.array_equal(one(pair), expected)
    assert replicas.halo(pair.ratio) == model.halo(pair.ratio) and replicas.evaluations == 1


class Slow:
    """A model whose calls end when as many are under way as there are models."""

    def __init__(self, together):
        self.together, self.calls = together, 0

    def __call__(self, pair):
        self.calls += 1
        self.together.wait(timeout=20)
        return pair


def test_tiles_go_where_the_fewest_are():
    together = threading.Barrier(3)
    slow = [Slow(together) for _ in range(3)]
    replicas = Replicas(slow)
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(replicas, range(6))) == list(range(6))
    assert [one.calls for one in slow] == [2, 2, 2]


def test_a_file_is_the_same_on_several_devices(tmp_path):
    paths = synthetic.write(synthetic.scene((192, 160), load("ikonos"), seed=1), tmp_path)
    save(made(BANDWISE), tmp_path / "m.safetensors")
    results = []
    for k, device in enumerate(("cpu", "cpu,cpu")):
        out = tmp_path / f"{k}.tif"
        panflow.sharpen_file(paths["pan"], paths["ms"], out, method=tmp_path / "m.safetensors", device=device)
        with rasterio.open(out) as file:  # whose tags say which devices were asked for
            results.append(file.read())
    assert np.array_equal(*results)


def test_a_device_of_torch_will_do():
    assert panflow.load(device=torch.device("cpu")).device == torch.device("cpu")


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "cpu,gpu", ""])
def test_devices_that_are_not_there_are_told(device):
    with pytest.raises(InputError, match=r"cannot be used: (.*; )?expected auto, cpu, cuda or mps"):
        panflow.load(device=device)
