import pytest
import torch
from golden import parameters
from halo import measured_halo
from runs import SENSORS, check_dlpan, check_panbench, check_unipan

from panflow.networks import pnn

UNIPAN_KEYS = pnn.Network.KEYS[:3]  # named as in the toolbox


@pytest.mark.parametrize(
    ("form", "bands", "count"),
    [
        ("original", 4, 80420),
        ("original", 8, 104360),
        ("unipan", 4, 61124),
        ("unipan", 8, 79880),
        ("panbench", 4, 80420),
    ],
)
def test_parameters(form, bands, count):
    assert parameters(pnn.Network(bands, form=form)) == count


@pytest.mark.parametrize("sensor", SENSORS)
def test_toolbox_weights(shared, sensor):
    check_dlpan(shared, pnn, sensor)


def test_panbench_weights(shared):
    check_panbench(shared, pnn, "panbench")


def test_unipan_form(shared):
    check_unipan(shared, pnn, 4, UNIPAN_KEYS)


@pytest.mark.parametrize("form", pnn.FORMS)
def test_halo(form):
    network = pnn.Network(3, form=form)
    assert measured_halo(network, 3, length=40) == network.halo


def test_original_pads_with_the_border_pixel():
    """A constant image stays constant up to the border; zero padding would not keep it."""
    flat = {"ms": torch.ones(1, 3, 8, 8), "ms_up": torch.ones(1, 3, 32, 32), "pan": torch.ones(1, 1, 32, 32)}
    fused = pnn.Network(3)(**flat)
    assert torch.allclose(fused, fused[..., 16:17, 16:17].expand_as(fused), atol=1e-6)


def test_unknown_form():
    with pytest.raises(ValueError, match="original, unipan, panbench"):
        pnn.Network(4, form="dlpan", widths=(8, 8))
