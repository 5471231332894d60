"""What assess accepts and what it refuses."""

import numpy as np
import pytest
import torch

import panflow
from panflow.assessment import maps
from panflow.errors import InputError, UnknownName
from panflow.indices._sets import choose, load


def test_what_is_missing_is_named(arrays):
    fused = arrays["fused"]
    for given, words in (
        ({}, "nothing to judge by"),
        ({"pan": arrays["pan"]}, "pan came without ms"),
        ({"ms": arrays["ms"]}, "ms came without pan"),
        ({"reference": fused, "indices": "qnr"}, "'qnr' needs pan and ms"),
        ({"pan": arrays["pan"], "ms": arrays["ms"], "indices": ["d_s", "sam"]}, "'sam' needs a reference"),
        ({"reference": fused, "indices": "unipan"}, "needs pan and ms"),
    ):
        with pytest.raises(InputError, match=words):
            panflow.assess(fused, **given)


def test_shapes_and_kinds_are_compared(arrays):
    fused, pan, ms = arrays["fused"], arrays["pan"], arrays["ms"]
    for call, words in (
        (lambda: panflow.assess(fused[:2], pan, ms), "expected 1 x 3 x 72 x 96"),
        (lambda: panflow.assess(fused, reference=fused[:, 1:]), "reference 1 x 3 x 71 x 96"),
        (lambda: panflow.assess(fused[0], reference=fused[0]), "expected \\[C, h, w\\]"),
        (lambda: panflow.assess(torch.tensor(fused), reference=fused), "one kind"),
        (lambda: panflow.assess(fused, torch.tensor(pan), torch.tensor(ms)), "one kind"),
        (lambda: panflow.assess(fused, reference=fused, cut=48), "nothing left"),
        (lambda: panflow.assess(fused[:, :8, :8], reference=fused[:, :8, :8], indices="ssim"), "11 x 11"),
    ):
        with pytest.raises(InputError, match=words):
            call()


def test_unknown_words_name_the_nearest(arrays):
    fused = arrays["fused"]
    for choice, words in (
        ("ergsa", "did you mean 'ergas'"),
        (["sma"], "did you mean 'sam'"),
        ("toolbx", "did you mean 'toolbox'"),
        ({"d_s": {"variant": "papre"}}, "did you mean 'paper'"),
    ):
        with pytest.raises(UnknownName, match=words):
            panflow.assess(fused, reference=fused, indices=choice)
    with pytest.raises(InputError, match="does not take half"):
        load("sam", half=3)
    with pytest.raises(InputError, match="has no map"):
        maps(**arrays, indices={"d_s": {"variant": "paper"}})


def test_choices_say_the_same(arrays):
    expected = panflow.assess(**arrays, indices="sam")
    assert panflow.assess(**arrays, indices=["sam"]) == expected
    assert panflow.assess(**arrays, indices=load("sam")) == expected
    assert panflow.assess(**arrays, indices={"sam": {}}) == expected
    assert panflow.assess(**arrays, indices={"angle": load("sam")}) == {"angle": expected["sam"]}
    assert list(choose(["sam", "cc"], {"reference"})) == ["sam", "cc"]


def test_integers_are_counts(arrays):
    counts = {key: np.round(value).astype(np.uint16) for key, value in arrays.items()}
    expected = panflow.assess(**{key: value.astype(float) for key, value in counts.items()})
    assert panflow.assess(**counts) == expected


def test_labelled_arrays(arrays):
    xarray = pytest.importorskip("xarray")
    dims = {2: ("y", "x"), 3: ("band", "y", "x")}
    labelled = {key: xarray.DataArray(value, dims=dims[value.ndim]) for key, value in arrays.items()}
    assert panflow.assess(**labelled) == panflow.assess(**arrays)


def test_a_margin_is_cut_as_the_toolbox_does(arrays):
    """dim_cut 11: rows and columns 10 to -11."""
    inside = (..., slice(10, -11), slice(10, -11))
    found = panflow.assess(arrays["fused"], reference=arrays["reference"], cut=11)
    assert found == panflow.assess(arrays["fused"][inside], reference=arrays["reference"][inside])
    both = panflow.assess(**arrays, cut=11)
    whole = panflow.assess(**arrays)
    assert both["sam"] == found["sam"] and both["d_s"] == whole["d_s"]


def test_the_public_name():
    assert "assess" in dir(panflow)
