import pytest
import torch
from golden import parameters
from halo import measured_halo
from runs import check_unipan

from panflow.networks import mdcun


@pytest.mark.parametrize(("bands", "count"), [(4, 98347), (8, 140907)])
def test_parameters(bands, count):
    assert parameters(mdcun.Network(bands)) == count


def test_unipan_form(shared):
    check_unipan(shared, mdcun, 4, mdcun.Network.KEYS)


@pytest.mark.parametrize(
    ("iterations", "ratio", "length"), [(1, 2, 48), (2, 2, 80), (1, 4, 64), (4, 4, 208), (1, 8, 96)]
)
def test_halo(iterations, ratio, length):
    network = mdcun.Network(1, ratio, iterations=iterations, width=8)
    assert measured_halo(network, 1, length, ratio, rows=8) == network.halo


@torch.no_grad()
def test_non_local_is_a_softmax_over_unfolded_windows():
    torch.manual_seed(0)
    block = mdcun.NonLocal(2, window=5)
    x = torch.randn(1, 2, 7, 9)
    windows = [torch.nn.functional.unfold(f(x), 5, padding=2).view(2, 25, 63) for f in (block.phi, block.g)]
    weights = (block.theta(x).view(2, 1, 63) * windows[0]).sum(0).softmax(0)
    expected = x + block.w((weights * windows[1]).sum(1).view(1, 2, 7, 9))
    torch.testing.assert_close(block(x), expected)


@torch.no_grad()
def test_residual_scale():
    torch.manual_seed(0)
    published = mdcun.Network(2, iterations=1)
    meant = mdcun.Network(2, iterations=1, residual_scale=0.1)
    meant.load_state_dict(published.state_dict())
    ms, pan, features = torch.rand(1, 2, 4, 4), torch.rand(1, 1, 16, 16), torch.rand(1, 32, 8, 8)
    change, scaled = (network.attention.blocks[0](features) - features for network in (published, meant))
    torch.testing.assert_close(scaled, 0.1 * change)
    assert not torch.allclose(published(ms, None, pan), meant(ms, None, pan), atol=1e-5)


def test_ratio_refused():
    with pytest.raises(ValueError, match="got 3"):
        mdcun.Network(4, 3)
