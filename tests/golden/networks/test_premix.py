"""PreMix and its CLAHE against recorded runs of the public code."""

import pytest
import torch
from golden import load, parameters, recorded

from panflow.networks import premix
from panflow.networks._clahe import clahe

CASES = {"original": "premix_original_e32_l3_4b", "unipan": "unipan_premix_4b"}
PARAMETERS = {
    ("original", 4): 2_193_820,
    ("original", 8): 2_393_336,
    ("unipan", 4): 9_264_652,
    ("unipan", 8): 9_562_664,
}


@pytest.mark.parametrize(("form", "bands"), PARAMETERS)
def test_parameters(form, bands):
    unused = (9 * 3 + 9 + 3) * bands**2 + bands  # the public code's last block, 3 C -> C, which it never runs
    with torch.device("meta"):
        assert parameters(premix.Network(bands, form=form)) == PARAMETERS[form, bands] - unused


@pytest.mark.parametrize("form", CASES)
def test_forward(shared, form):
    state, data = recorded(shared, f"seeded/{CASES[form]}.npz")
    network = load(premix.Network(4, form=form), state, premix.Network.KEYS)
    with torch.no_grad():
        residual = network(data["in/ms"], data["ex/net_ms_in"], data["in/pan"])
    expected = data["out"] - data["in/lms"] if form == "original" else data["out"]
    torch.testing.assert_close(residual, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("case", CASES.values())
def test_views(shared, case):
    _, data = recorded(shared, f"seeded/{case}.npz")
    for image, name in ((data["ex/net_ms_in"], "ex/clahe_ms"), (data["in/pan"], "ex/clahe_pan")):
        torch.testing.assert_close(clahe(image.clamp(0, 1)), data[name], atol=1e-6, rtol=0)
    torch.testing.assert_close(data["in/pan"] - premix.blur(data["in/pan"]), data["ex/hp_pan"], atol=1e-6, rtol=0)


def test_threshold_swaps_features():
    torch.manual_seed(0)
    ms, pan = torch.rand(1, 4, 8, 8), torch.rand(1, 1, 8, 8)
    block = premix.Mixing(4, 1, 6, torch.sigmoid, 0.5)
    with torch.no_grad():
        a, b = block.ms(ms), block.pan(pan)
        mixed = block(ms, pan)
    swapped = mixed[0] == b
    assert 0 < swapped.float().mean() < 1
    torch.testing.assert_close(mixed[0], torch.where(swapped, b, a), atol=0, rtol=0)
    torch.testing.assert_close(mixed[1], torch.where(swapped, a, b), atol=0, rtol=0)


def test_clahe_reflects_borders_that_do_not_divide():
    torch.manual_seed(0)
    image = torch.rand(2, 3, 60, 52)  # tiles of 8: 64 x 64 after reflection
    whole = torch.nn.functional.pad(image, (0, 12, 0, 4), mode="reflect")
    torch.testing.assert_close(clahe(image), clahe(whole)[..., :60, :52], atol=0, rtol=0)


def test_unknown_form_is_named():
    with pytest.raises(ValueError, match=r"form must be .*'large'"):
        premix.Network(4, form="large")
