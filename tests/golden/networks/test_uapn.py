"""UAPN against recorded runs of the public code, with the channel masks it drew."""

import pytest
import torch
import torch.nn.functional as F
from golden import load, parameters, recorded

from panflow.networks import uapn

CASES = {"original": "uapn_original_c12_4b", "unipan": "unipan_uapn_4b"}
PARAMETERS = {("original", 4): 78_992, ("original", 8): 82_708, ("unipan", 4): 11_656, ("unipan", 8): 40_200}


@pytest.mark.parametrize(("form", "bands"), PARAMETERS)
def test_parameters(form, bands):
    assert parameters(uapn.Network(bands, form=form)) == PARAMETERS[form, bands]


def run(shared, form, dtype):
    """Output, as recorded, and (aleatoric, epistemic, mean) of the first and of the second stage."""
    state, data = recorded(shared, f"random_init/{CASES[form]}.npz")
    network = load(uapn.Network(4, form=form), state, uapn.Network.KEYS).to(dtype)
    ms, pan, masks = data["in/ms"].to(dtype), data["in/pan"].to(dtype), data["ex/masks"].unflatten(0, (2, 10))
    with torch.no_grad():
        out, (first, second) = network.staged(ms, None, pan, masks)
        assert torch.equal(out, network(ms, data["in/lms"], pan, masks))
    if form == "original":
        out = out + F.interpolate(ms, scale_factor=4, mode="bicubic", align_corners=True)
    expected = [[data[f"ex/{name}{i}"] for name in ("AU", "EU", "mean")] for i in range(2)]
    return out, first, second, data["out"], *expected


@pytest.mark.parametrize("form", CASES)
def test_forward(shared, form):
    """The first stage to 1e-5; after it, to 1e-4: instance norms enlarge rounding.

    The recorded outputs are 2.8e-4 (of 13) and 1.4e-5 (of 1.1) from double precision; ours must be nearer.
    """
    out, first, second, expected, expected_first, expected_second = run(shared, form, torch.float32)
    exact = run(shared, form, torch.float64)[0]
    for value, reference in zip(first, expected_first, strict=True):
        torch.testing.assert_close(value, reference, atol=1e-5, rtol=0)
    for value, reference in zip((out, *second), (expected, *expected_second), strict=True):
        torch.testing.assert_close(value, reference, atol=1e-4, rtol=0)
    assert (out - expected).abs().max() < (exact - expected).abs().max()


def test_masks_are_anew_in_training_and_fixed_in_use():
    torch.manual_seed(0)
    network = uapn.Network(4)
    ms, pan = torch.rand(1, 4, 4, 4), torch.rand(1, 1, 16, 16)
    with torch.no_grad():
        assert not torch.equal(network(ms, ms, pan), network(ms, ms, pan))
        network.eval()
        assert torch.equal(network(ms, ms, pan), network(ms, ms, pan))
    masks = torch.cat([network.train().draw_masks() for _ in range(100)])
    assert masks.mean().item() == pytest.approx(0.8, abs=0.01)


def test_odd_width_is_refused():
    with pytest.raises(ValueError, match=r"even width, got 3.*width=4"):
        uapn.Network(3, form="unipan")
