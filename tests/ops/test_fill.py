"""What stands in for nodata."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from panflow.ops.fill import fill


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 0.95))
def test_holes_take_the_nearest_valid_value(seed, share):
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(1, 2, 9, 8))
    valid = rng.random((1, 1, 9, 8)) > share
    valid[0, 0, rng.integers(9), rng.integers(8)] = True
    given_image = np.where(valid, image, np.nan)
    found = fill(given_image, valid)
    assert np.array_equal(found[:, :, valid[0, 0]], image[:, :, valid[0, 0]])
    known = np.argwhere(valid[0, 0])
    for row, column in np.argwhere(~valid[0, 0]):
        distance = ((known - (row, column)) ** 2).sum(1)
        nearest = known[distance == distance.min()]
        assert any(np.array_equal(found[0, :, row, column], image[0, :, r, c]) for r, c in nearest)


def test_the_image_itself_is_left_alone():
    image, valid = np.arange(12.0).reshape(1, 1, 3, 4), np.ones((1, 1, 3, 4), bool)
    assert fill(image, None) is image and fill(image, valid) is image
    valid[..., 0] = False
    before = image.copy()
    fill(image, valid)
    assert np.array_equal(image, before)


def test_members_of_a_batch_are_apart_and_nothing_valid_is_zero():
    image = np.full((2, 1, 3, 3), np.nan)
    valid = np.zeros((2, 1, 3, 3), bool)
    image[1, 0, 2, 2], valid[1, 0, 2, 2] = 7, True
    found = fill(image, valid)
    assert (found[0] == 0).all() and (found[1] == 7).all()


def test_tensors_stay_tensors():
    image = torch.tensor([[[[1.0, float("nan")]]]])
    found = fill(image, torch.tensor([[[[True, False]]]]))
    assert isinstance(found, torch.Tensor) and found.dtype == image.dtype
    assert found.tolist() == [[[[1.0, 1.0]]]]
