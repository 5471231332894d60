import pytest
import torch
from golden import parameters
from halo import measured_halo
from runs import SENSORS, check_dlpan, check_panbench, check_unipan

from panflow.networks import msdcnn

UNIPAN_KEYS = (
    (r"^ms_head\.", "deep.0."),
    (r"^ms_body1_3\.", "deep.1.arms.0."),
    (r"^ms_body1_5\.", "deep.1.arms.1."),
    (r"^ms_body1_7\.", "deep.1.arms.2."),
    (r"^ms_body1\.", "deep.2."),
    (r"^ms_body2_3\.", "deep.3.arms.0."),
    (r"^ms_body2_5\.", "deep.3.arms.1."),
    (r"^ms_body2_7\.", "deep.3.arms.2."),
    (r"^ms_body2\.", "deep.4."),
    (r"^head\.", "shallow.0."),
    (r"^body\.", "shallow.1."),
    (r"^output_conv\.", "shallow.2."),
    (r"\.conv\.", ".0."),
    (r"\.act\.", ".1."),
)


@pytest.mark.parametrize(
    ("form", "bands", "count"),
    [
        ("original", 4, 189852),
        ("original", 8, 228556),
        ("unipan", 4, 239016),
        ("unipan", 8, 277720),
        ("panbench", 4, 189852),
    ],
)
def test_parameters(form, bands, count):
    assert parameters(msdcnn.Network(bands, form=form)) == count


@pytest.mark.parametrize("sensor", SENSORS)
def test_toolbox_weights(shared, sensor):
    check_dlpan(shared, msdcnn, sensor)


def test_panbench_weights(shared):
    check_panbench(shared, msdcnn, "panbench")


def test_unipan_form(shared):
    check_unipan(shared, msdcnn, 4, UNIPAN_KEYS)


@pytest.mark.parametrize("form", msdcnn.FORMS)
def test_halo(form):
    network = msdcnn.Network(2, form=form)
    assert measured_halo(network, 2, length=40) == network.halo


@pytest.mark.parametrize(("form", "rectified"), [("original", True), ("panbench", False), ("unipan", False)])
def test_only_the_original_rectifies_its_output(form, rectified):
    torch.manual_seed(0)
    ms_up, pan = torch.randn(1, 2, 32, 32), torch.randn(1, 1, 32, 32)
    fused = msdcnn.Network(2, form=form)(None, ms_up, pan)
    assert bool((fused >= 0).all()) == rectified
