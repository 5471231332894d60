"""SFIIN against a recorded run of a public implementation with random weights."""

import golden
import pytest
import torch
from torch.nn.functional import interpolate

from panflow.networks.sfiin import Network


@pytest.mark.parametrize("bands, count", [(4, 609_628), (8, 611_936)])
def test_parameters(bands, count):
    assert golden.parameters(Network(bands)) == count


def test_forward(shared):
    state, run = golden.recorded(shared, "random_init/unipan_sfiin_4b.npz")
    network = golden.load(Network(4, form="unipan"), state, Network.KEYS)
    ms_up = interpolate(run["in/ms"], scale_factor=4, mode="bilinear", align_corners=True)
    with torch.no_grad():
        residual = network(run["in/ms"], ms_up, run["in/pan"])
    torch.testing.assert_close(residual, run["out"], atol=1e-5, rtol=0)
