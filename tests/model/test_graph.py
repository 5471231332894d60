"""A model as a graph: that of the bundled file is the network of the weights beside it, and sharpens as they do."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from small import tiled

from panflow import registry, zoo
from panflow.data import synthetic
from panflow.errors import InputError, MissingExtra, missing_extra, needing
from panflow.learned.graph import Graph, open_graph
from panflow.learned.runtime._backend import random_inputs
from panflow.learned.weights import digest
from panflow.sensors import load

GRAPHS = [name for name in registry.names("models") if registry.path("models", name).with_suffix(".onnx").is_file()]
MAKE = "the weights are others: run `make weights`"


def graph(name: str):
    return open_graph(registry.path("models", name).with_suffix(".onnx"))


def test_the_default_comes_as_a_graph():
    assert zoo.DEFAULT in GRAPHS
    assert isinstance(zoo.load(runtime="onnx").network, Graph)


@pytest.mark.parametrize("name", GRAPHS)
def test_it_is_of_the_weights_beside_it(name):
    model, opened = zoo.load(name, device="cpu", runtime="torch"), graph(name)
    assert opened.network.metadata["weights"] == digest(model.network), MAKE
    assert opened.recipe == model.recipe and opened.info == model.info, MAKE
    for bands, size in ((4, (40, 33)), (1, (64, 24)), (8, (24, 24))):
        (x, t), inputs = random_inputs(model.network, {"bands": bands}, size)
        with torch.inference_mode():
            expected = model.network(x, t, **inputs).numpy()
        asked = {key: value.numpy() for key, value in inputs.items() if value is not None}
        assert np.abs(opened.network(x=x.numpy(), t=t.numpy(), **asked) - expected).max() < 1e-4


@pytest.mark.parametrize("detail", ["pan", "ms"])
@pytest.mark.parametrize("sensor", ["ikonos", "landsat8", "worldview3"])
def test_it_sharpens_as_torch_does(sensor, detail):
    """To a hundred-thousandth of the image's spread, the surroundings of the network included; with a hole."""
    pair = synthetic.scene((160, 128), load(sensor), seed=4)
    valid = np.ones((1, 1, *pair.size), bool)
    valid[..., :16, 32:48] = False
    pair = replace(pair, pan_valid=valid)
    one, other = (zoo.load(device="cpu", runtime=name, detail=detail).fit([pair])(pair) for name in ("onnx", "torch"))
    assert one.dtype == other.dtype
    assert np.abs(one - other).max() < 1e-5 * other.std()


def test_tiles_equal_the_whole():
    pair = synthetic.scene((192, 160), load("quickbird"), seed=1)
    fitted = graph(zoo.DEFAULT).fit([pair])
    assert np.abs(tiled(fitted, pair, 64) - fitted(pair)).max() < 1e-5 * pair.ms.std()


def test_batches_and_tensors():
    pair = synthetic.scene((64, 64), load("ikonos"), seed=2)
    model = graph(zoo.DEFAULT)
    alone = model.fit([pair])(pair)
    both = replace(pair, pan=np.concatenate([pair.pan, 0.5 * pair.pan]), ms=np.concatenate([pair.ms, 0.5 * pair.ms]))
    assert np.abs(model.fit([both])(both)[:1] - alone).max() < 1e-5 * pair.ms.std()
    tensors = replace(pair, pan=torch.from_numpy(pair.pan), ms=torch.from_numpy(pair.ms))
    given = model.fit([tensors])(tensors)
    assert isinstance(given, torch.Tensor) and np.array_equal(given, alone)


def test_it_travels_to_other_processes():
    pair = synthetic.scene((64, 64), load("ikonos"), seed=2)
    fitted = graph(zoo.DEFAULT).fit([pair])
    assert np.array_equal(pickle.loads(pickle.dumps(fitted))(pair), fitted(pair))


def test_without_torch_the_default_is_the_graph(monkeypatch):
    monkeypatch.setattr(zoo, "find_spec", lambda name: None)
    assert isinstance(zoo.load().network, Graph) and isinstance(zoo.load(runtime="auto").network, Graph)
    with pytest.raises(InputError, match="another runtime"):
        zoo.load().to("cuda")


def test_what_is_not_installed_is_named():
    with (
        pytest.raises(MissingExtra, match=r'^the model x needs torch.*: pip install "panflow\[torch\]"$'),
        needing("the model x"),
    ):
        raise ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")
    assert missing_extra(ModuleNotFoundError(name="nonsense")) is None and missing_extra(KeyError()) is None
