"""FeINFN against a recorded run of the public code."""

import pytest
import torch
import torch.nn.functional as F
from golden import load, parameters, recorded

from panflow.networks import feinfn


@pytest.mark.parametrize(("bands", "expected"), [(4, 3_096_869), (8, 3_106_601)])
def test_parameters(bands, expected):
    mean_shifts = 2 * 24  # frozen and unused in the public code
    with torch.device("meta"):
        assert parameters(feinfn.Network(bands)) == expected - mean_shifts


@pytest.mark.parametrize("scrambled", [True, False])
def test_forward(shared, scrambled):
    """The default equals the recording; with the axes of the phase query in order it does not."""
    state, data = recorded(shared, "seeded/unipan_feinfn_4b.npz")
    network = load(feinfn.Network(4, form="unipan", scrambled_phase=scrambled), state, feinfn.Network.KEYS)
    # the recorded run was fed by its own interpolation, not by the stored one
    ms_up = F.interpolate(data["in/ms"], scale_factor=4, mode="bilinear")
    with torch.no_grad():
        error = (network(data["in/ms"], ms_up, data["in/pan"]) - data["out"]).abs().max()
    assert error < 1e-5 if scrambled else error > 1e-4


def test_start_has_the_published_constants():
    """What the recording overwrites: code (sin n, cos n), fixed filter, omega 30, scale 10."""
    network = feinfn.Network(4)
    torch.testing.assert_close(network.code[:2], torch.tensor([[0.0, 1.0], [0.841471, 0.540302]]))
    assert network.high_pass.sum() == -3 and network.high_pass[1, 1] == 1
    assert all((gabor.omega, gabor.scale) == (30, 10) for gabor in network.decoder.gabors)


def test_neighbours_lie_half_a_pixel_apart():
    """Away from the border, offsets in half MS pixels are the odd quarters between -2 and 2, at ratio 4."""
    low = torch.zeros(1, 1, 8, 8)
    seen = []

    def ask(sample, offset):
        seen.append(offset[0, 4:-4, 4:-4])
        return torch.zeros(*offset.shape[:3], 2)

    feinfn.ensemble(low, (32, 32), 4, ask)
    assert len(seen) == 4
    assert torch.stack(seen)[..., 0].unique().tolist() == [-1.75, -1.25, -0.75, -0.25, 0.25, 0.75, 1.25, 1.75]
