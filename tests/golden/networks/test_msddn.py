"""MSDDN against a recorded run of a public implementation with random weights."""

import golden
import pytest
import torch

from panflow.networks.msddn import Network

UNUSED = 280_480  # parameters of the released network that its forward never reads


@pytest.mark.parametrize("bands, count", [(4, 670_124), (8, 672_432)])
def test_parameters(bands, count):
    assert golden.parameters(Network(bands)) == count - UNUSED


def test_forward(shared):
    state, run = golden.recorded(shared, "random_init/unipan_msddn_4b.npz")
    inputs = run["in/ms"], run["in/lms"], run["in/pan"]
    with torch.no_grad():
        released = golden.load(Network(4, form="unipan"), state, Network.KEYS)(*inputs)
        intended = golden.load(Network(4, form="unipan", coupling_slope=0.2), state, Network.KEYS)(*inputs)
    torch.testing.assert_close(released, run["out"], atol=1e-5, rtol=0)
    assert (intended - run["out"]).abs().max() > 1e-3
