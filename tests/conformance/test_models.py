"""What every bundled model keeps to: its file says what it is and what it learned from, and it sharpens."""

import numpy as np
import pytest
from safetensors.numpy import load_file

import panflow
from panflow import registry
from panflow.data import synthetic
from panflow.learned.file import open_model
from panflow.sensors import load

MODELS = registry.names("models")


@pytest.mark.parametrize("name", MODELS)
def test_its_file_tells_licence_and_sources(name):
    assert all(np.isfinite(weights).all() for weights in load_file(registry.path("models", name)).values())
    model = open_model(registry.path("models", name))
    assert model.info["title"] and model.info["licence"] == "Apache-2.0"
    assert model.info["data"] and all(source["licence"] and source["source"] for source in model.info["data"])
    assert "restricted" not in str(model.info) and "/" not in str(model.recipe)


@pytest.mark.parametrize("name", MODELS)
def test_it_sharpens_better_than_interpolation(name):
    pair = synthetic.scene((128, 160), load("ikonos"), seed=5)
    scores = {}
    for method in (name, "exp"):
        fused = panflow.sharpen(pair.pan[0], pair.ms[0], method=method, sensor="ikonos", phase=pair.phase[0])
        assert fused.shape == pair.reference[0].shape
        scores[method] = panflow.assess(fused, reference=pair.reference[0], indices=("sam", "ergas"), sensor="ikonos")
    assert all(scores[name][index] < 0.8 * scores["exp"][index] for index in ("sam", "ergas")), scores
