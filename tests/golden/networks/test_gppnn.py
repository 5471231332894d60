import pytest
import torch
from golden import parameters
from runs import check_panbench, check_unipan

from panflow.networks import gppnn


@pytest.mark.parametrize(("bands", "count"), [(4, 119808), (8, 238592)])
def test_parameters(bands, count):
    assert parameters(gppnn.Network(bands)) == count


def test_panbench_weights(shared):
    check_panbench(shared, gppnn, "original")


@pytest.mark.parametrize("bands", [4, 8])
def test_unipan_form(shared, bands):
    check_unipan(shared, gppnn, bands, gppnn.Network.KEYS)


@torch.no_grad()
def test_tiles_cannot_equal_the_whole():
    """Aligned corners stretch a tile differently: it differs even 40 pixels away from the cuts."""
    torch.manual_seed(0)
    network = gppnn.Network(2, layers=2)
    assert network.halo is None
    ms, pan = torch.rand(1, 2, 32, 32), torch.rand(1, 1, 128, 128)
    whole = network(ms, None, pan)[..., :56, :56]
    tile = network(ms[..., :24, :24], None, pan[..., :96, :96])[..., :56, :56]
    assert (whole - tile).std() > 0.01 * whole.std()


def test_ratio_is_free():
    assert gppnn.Network(3, 3)(torch.rand(1, 3, 8, 8), None, torch.rand(1, 1, 24, 24)).shape == (1, 3, 24, 24)
