"""DCFNet against recorded runs of a public implementation with seeded weights."""

import golden
import pytest
import torch

from panflow.networks.dcfnet import Network

UNUSED = 147_712  # parameters of the released network that its forward never reads


@pytest.mark.parametrize("bands, count", [(4, 2_905_667), (8, 2_915_783)])
def test_parameters(bands, count):
    assert golden.parameters(Network(bands)) == count - UNUSED


@pytest.mark.parametrize("bands", [4, 8])
def test_forward(shared, bands):
    state, run = golden.recorded(shared, f"seeded/dcfnet_original_{bands}b.npz")
    with torch.no_grad():
        residual = golden.load(Network(bands), state, Network.KEYS)(run["in/ms"], run["in/lms"], run["in/pan"])
    torch.testing.assert_close(residual + run["in/lms"], run["out"], atol=1e-5, rtol=0)


def test_other_ratios_are_refused():
    with pytest.raises(ValueError, match="ratio must be 4, not 2"):
        Network(4, 2)
