import pytest
import torch
from golden import parameters
from halo import measured_halo
from runs import SENSORS, check_dlpan, check_panbench, check_unipan

from panflow.networks import pannet

UNIPAN_KEYS = (
    (r"^ConvTrans\.", "up."),
    (r"^ResidualBlocks\.(\d)\.Conv(\d)\.", r"blocks.\1.conv\2."),
    (r"^Conv1\.", "head.0."),
    (r"^Conv2\.", "tail."),
)


@pytest.mark.parametrize(
    ("form", "bands", "count"),
    [
        ("original", 4, 77640),
        ("original", 8, 83024),
        ("unipan", 4, 95404),
        ("unipan", 8, 98584),
        ("panbench", 4, 78152),
    ],
)
def test_parameters(form, bands, count):
    assert parameters(pannet.Network(bands, form=form)) == count


@pytest.mark.parametrize("sensor", SENSORS)
def test_toolbox_weights(shared, sensor):
    check_dlpan(shared, pannet, sensor)


def test_panbench_weights(shared):
    check_panbench(shared, pannet, "panbench")


@pytest.mark.parametrize("bands", [4, 8])
def test_unipan_form(shared, bands):
    check_unipan(shared, pannet, bands, UNIPAN_KEYS)


@pytest.mark.parametrize("form", pannet.FORMS)
@pytest.mark.parametrize("ratio", [2, 4, 8])
def test_halo(form, ratio):
    network = pannet.Network(2, ratio, form=form)
    assert measured_halo(network, 2, length=80, ratio=ratio) == network.halo


@pytest.mark.parametrize(("form", "blind"), [("original", True), ("panbench", True), ("unipan", False)])
def test_brightness_does_not_matter_to_a_high_pass(form, blind):
    torch.manual_seed(0)
    network = pannet.Network(2, form=form).eval()
    ms, pan = torch.rand(1, 2, 8, 8), torch.rand(1, 1, 32, 32)
    assert torch.allclose(network(ms, None, pan), network(ms + 1, None, pan + 2), atol=1e-5) == blind


@pytest.mark.parametrize("ratio", [1, 3, 6])
def test_ratio_refused(ratio):
    with pytest.raises(ValueError, match=f"got {ratio}"):
        pannet.Network(4, ratio)
