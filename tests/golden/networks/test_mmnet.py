"""MMNet against a recorded run of the public implementation with random weights."""

import golden
import pytest
import torch

from panflow.networks.mmnet import Network


@pytest.mark.parametrize("bands, count", [(4, 51_822), (8, 206_298)])
def test_parameters(bands, count):
    assert golden.parameters(Network(bands)) == count


def test_forward(shared):
    state, run = golden.recorded(shared, "random_init/mmnet_original_4b.npz")
    with torch.no_grad():
        fused = golden.load(Network(4), state, Network.KEYS)(run["in/ms"], run["in/lms"], run["in/pan"])
    # The output is small (standard deviation 0.023) and early stages fade: 1e-5 would miss a wrong attention.
    torch.testing.assert_close(fused, run["out"], atol=1e-7, rtol=0)


def test_one_band_and_unequal_sides():
    image = torch.rand(1, 1, 16, 24)
    assert Network(1)(torch.rand(1, 1, 4, 6), image, image).shape == image.shape
