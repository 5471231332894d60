"""LAGConv against recorded runs of public implementations with random weights."""

import golden
import pytest
import torch
from torch.nn.functional import interpolate

from panflow.networks.lagconv import Network


@pytest.mark.parametrize("bands, count", [(4, 148_457), (8, 151_397)])
def test_parameters(bands, count):
    assert golden.parameters(Network(bands)) == count


@pytest.mark.parametrize("bands", [4, 8])
def test_original(shared, bands):
    state, run = golden.recorded(shared, f"random_init/lagconv_original_{bands}b.npz")
    with torch.no_grad():
        residual = golden.load(Network(bands), state, Network.KEYS)(run["in/ms"], run["in/lms"], run["in/pan"])
    torch.testing.assert_close(residual + run["in/lms"], run["out"], atol=1e-5, rtol=0)


def test_unipan(shared):
    state, run = golden.recorded(shared, "random_init/unipan_lagconv_4b.npz")
    network = golden.load(Network(4, form="unipan"), state, Network.KEYS)
    ms_up = interpolate(run["in/ms"], scale_factor=4, mode="bilinear", align_corners=False)
    with torch.no_grad():
        residual = network(run["in/ms"], ms_up, run["in/pan"])
    torch.testing.assert_close(residual, run["out"], atol=1e-5, rtol=0)


def test_is_global():
    torch.manual_seed(0)
    network = Network(2)
    ms_up, pan = torch.rand(1, 2, 48, 48), torch.rand(1, 1, 48, 48)
    moved = pan.clone()
    moved[..., -1, -1] += 100
    with torch.no_grad():
        difference = network(None, ms_up, moved) - network(None, ms_up, pan)
    # The twelve layers themselves reach 12 pixels, the corner is 47 away: only the image mean carries it.
    assert network.halo is None and difference[..., 0, 0].abs().min() > 0
