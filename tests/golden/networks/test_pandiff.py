"""PanDiff has no public code to compare with: its parts against the paper's description, and whether it learns."""

import pytest
import torch
from golden import inputs

from panflow.generative.schedules import Schedule, linear
from panflow.networks import pandiff


def test_each_modality_is_weighed_by_both():
    """Scaling by one number per band, and that number moves with the mean of the other modality."""
    torch.manual_seed(0)
    module = pandiff.Intercalibration(3)
    ms_up, pan = torch.rand(2, 3, 8, 8) + 0.1, torch.rand(2, 1, 8, 8) + 0.1
    with torch.no_grad():
        gates = module(ms_up, pan) / torch.cat([ms_up, pan], 1)
        torch.testing.assert_close(gates, gates.mean((2, 3), keepdim=True).expand_as(gates))
        brighter_pan, brighter_ms = module(ms_up, pan + 1), module(ms_up + 1, pan)
    assert gates.min() > 0 and gates.max() < 1
    assert (brighter_pan[:, :3] / ms_up - gates[:, :3]).abs().min() > 1e-5
    assert (brighter_ms[:, 3:] / pan - gates[:, 3:]).abs().min() > 1e-5


@pytest.mark.parametrize("bands", [4, 8])
def test_full_size_runs_on_any_multiple(bands):
    """8 x 24 pixels leave 1 x 3 at the coarsest level."""
    network = pandiff.Network(bands).eval()
    x, ms_up, pan = torch.rand(1, bands, 8, 24), torch.rand(1, bands, 8, 24), torch.rand(1, 1, 8, 24)
    with torch.no_grad():
        assert network(x, torch.tensor([5]), None, ms_up, pan).shape == x.shape


def test_learns_the_noise(shared):
    """A small one on one patch of a scene: squared error 1 for a network that knows nothing, 0 for the noise."""
    data = {key: image[..., 16:32, 16:32] for key, image in inputs(shared, "wv2_small4").items() if key != "ms"}
    residual = data["gt"] - data["ms_up"]
    clean = residual / (3 * residual.std())
    alpha_bar = Schedule.of(linear(1000)).alpha_bar.float()
    rng = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    network = pandiff.Network(4, width=8, multipliers=(1, 2), blocks=1, dropout=0.0)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    ms_up, pan = (data[key].expand(16, -1, -1, -1) for key in ("ms_up", "pan"))
    losses = []
    for _ in range(100):
        t = torch.randint(1000, (16,), generator=rng)
        a = alpha_bar[t][:, None, None, None]
        noise = torch.randn(16, 4, 16, 16, generator=rng)
        loss = (network(a.sqrt() * clean + (1 - a).sqrt() * noise, t, None, ms_up, pan) - noise).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[0] > 0.9
    assert sum(losses[-10:]) / 10 < 0.3
