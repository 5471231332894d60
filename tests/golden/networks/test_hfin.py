"""HFIN against the released weights and a recorded run of the public implementation with random weights."""

import golden
import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from panflow.networks.hfin import Network, windows

UNUSED = 834  # parameters of the released network that its forward never reads


def bicubic(ms):
    return interpolate(ms, scale_factor=4, mode="bicubic", align_corners=True)


@pytest.mark.parametrize("bands, count", [(4, 79_449), (8, 79_741)])
def test_parameters(bands, count):
    assert golden.parameters(Network(bands)) == count - UNUSED


def test_random_weights(shared):
    state, run = golden.recorded(shared, "random_init/hfin_original_c4_4b.npz")
    with torch.no_grad():
        residual = golden.load(Network(4), state, Network.KEYS)(run["in/ms"], run["in/lms"], run["in/pan"])
    torch.testing.assert_close(residual + bicubic(run["in/ms"]), run["out"], atol=1e-4, rtol=0)


def test_released_weights(shared):
    folder = shared / "golden/networks/hfin_wv2"
    state = torch.load(folder / "best_net.pth", map_location="cpu", weights_only=True)["net"]
    run = {key: torch.from_numpy(array) for key, array in np.load(folder / "outputs.npz").items()}
    with torch.no_grad():
        residual = golden.load(Network(4), state, Network.KEYS)(run["in/ms"], None, run["in/pan"])
    torch.testing.assert_close(residual + bicubic(run["in/ms"]), run["out"], atol=1e-4, rtol=0)


@pytest.mark.parametrize("size, edge, overlap", [(128, 43, 42), (256, 86, 84), (65, 22, 21)])
def test_windows(size, edge, overlap):
    assert windows(size) == (slice(0, edge + overlap), slice(edge, 2 * edge + overlap))


def test_any_size():
    assert Network(3)(torch.rand(1, 3, 7, 9), None, torch.rand(1, 1, 28, 36)).shape == (1, 3, 28, 36)
