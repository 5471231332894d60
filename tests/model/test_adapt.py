"""A model tuned to a scene: what the steps lower, what is kept, and how it travels."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from panflow import sensors, zoo
from panflow.data import synthetic
from panflow.errors import InputError, OutputExists
from panflow.learned import adapt
from panflow.learned.model import Model


@pytest.fixture(scope="module")
def pair():
    scene = synthetic.scene(160, sensors.load("ikonos"), seed=3)
    return replace(scene, reference=None)


@pytest.fixture(scope="module")
def model(pair) -> Model:
    """The default with a head that injects too little, so that there is something to mend."""
    made = zoo.load("bandwise").fit([pair])
    network = deepcopy(made.network)
    with torch.no_grad():
        network.head.bias[1] -= 0.4
    return replace(made, network=network, backend=None)


@pytest.fixture(scope="module")
def tuned(model, pair) -> Model:
    return adapt.tune(model, [pair], 600, rounds=15)


def test_both_terms_together_fall_and_ms_is_not_sold_for_pan(tuned):
    before, after = tuned.info["adapted"]["before"], tuned.info["adapted"]["after"]
    assert sum(after) < sum(before)
    assert after[0] <= adapt.SLACK * before[0]


def test_only_the_parts_that_the_network_declares_change(model, tuned):
    changed = {
        name.split(".")[0]
        for name, value in tuned.network.state_dict().items()
        if not torch.equal(value, model.network.state_dict()[name])
    }
    assert changed
    assert changed <= set(model.network.tuned)


def test_the_result_changes_towards_pan(model, tuned, pair):
    def detail(image):
        mean = np.asarray(image).mean(axis=1)[0]
        fine = mean - (np.roll(mean, 1, 0) + np.roll(mean, -1, 0) + np.roll(mean, 1, 1) + np.roll(mean, -1, 1)) / 4
        return fine[8:-8, 8:-8].std()

    assert detail(tuned(pair)) > 1.02 * detail(model(pair))


def test_an_adapter_travels_in_a_file(model, tuned, pair, tmp_path):
    path = tmp_path / "scene.adapter"
    path.write_bytes(adapt.packed(tuned, model))
    assert path.stat().st_size < 60_000
    again = adapt.apply(model, path)
    np.testing.assert_array_equal(again(pair), tuned(pair))
    with pytest.raises(InputError, match="made for another model"):
        adapt.apply(zoo.load("bandwise"), path)


def test_what_is_no_adapter_is_refused(model, tmp_path):
    (tmp_path / "a").write_bytes(b"something else")
    with pytest.raises(InputError, match="is no adapter"):
        adapt.apply(model, tmp_path / "a")


def test_the_model_stays_as_it_is_where_steps_make_it_worse(model, pair, monkeypatch):
    monkeypatch.setattr(adapt, "RATE", 3.0)
    kept = adapt.tune(model, [pair], 600, rounds=2)
    assert kept.info["adapted"]["after"] == kept.info["adapted"]["before"]
    for name, value in kept.network.state_dict().items():
        assert torch.equal(value, model.network.state_dict()[name])


def test_the_door_tunes_and_keeps_and_uses(pair, tmp_path):
    out = tmp_path / "scene.adapter"
    tuned = zoo.load("bandwise", adapt=3, save_adapter=out).fit([pair])
    used = zoo.load("bandwise", adapter=out).fit([pair])
    np.testing.assert_array_equal(used(pair), tuned(pair))
    with pytest.raises(OutputExists):
        zoo.load("bandwise", adapt=3, save_adapter=out)


def test_progress_tells_time_and_both_terms(model, pair):
    heard: list[tuple] = []
    hear = zoo.load("bandwise", adapt=3, progress=lambda *stage, note: heard.append((*stage, note))).progress
    adapt.tune(model, [pair], 600, rounds=1, progress=hear)
    assert {(stage, total) for stage, _, total, _ in heard} == {("adapt", 600)}
    assert [done for _, done, _, _ in heard] == sorted(done for _, done, _, _ in heard)
    assert all(note.startswith("MS 0.") and ", PAN 0." in note for *_, note in heard)


def test_a_method_without_weights_says_so():
    with pytest.raises(InputError, match="no weights to adapt"):
        zoo.load("gsa", adapt=10)


def test_a_scene_without_valid_pixels_offers_nothing(model, pair):
    empty = replace(pair, pan_valid=np.zeros((1, 1, *pair.size), bool))
    with pytest.raises(InputError, match="nothing to adapt to"):
        adapt.tune(model, [empty], 1)
