"""Noise that hangs on the ground: windows of it, its law, and what it depends on."""

import pytest
import torch

from panflow.generative.noise import Noise

WHOLE = Noise(3)(torch.empty(1, 4, 300, 280))


@pytest.mark.parametrize("origin", [(0, 0), (63, 64), (128, 7), (199, 150)])
def test_a_window_sees_what_the_whole_sees(origin):
    top, left = origin
    part = Noise(3, origin)(torch.empty(1, 4, 101, 130))
    assert torch.equal(part, WHOLE[..., top : top + 101, left : left + 130])


def test_it_is_standard_normal_and_white():
    assert WHOLE.mean().item() == pytest.approx(0, abs=4 / WHOLE.numel() ** 0.5)
    assert WHOLE.std().item() == pytest.approx(1, abs=4 / (2 * WHOLE.numel()) ** 0.5)
    for away in ((1, 0), (0, 1), (64, 0), (0, 64)):  # pixels, and cells
        product = WHOLE[..., away[0] :, away[1] :] * WHOLE[..., : 300 - away[0], : 280 - away[1]]
        assert product.mean().item() == pytest.approx(0, abs=4 / product.numel() ** 0.5)


@pytest.mark.parametrize(("other", "step"), [(Noise(4), 0), (Noise(3), 1)])
def test_seeds_steps_and_bands_differ(other, step):
    found = other(WHOLE, step)
    assert abs((found * WHOLE).mean().item()) < 4 / WHOLE.numel() ** 0.5
    assert abs((WHOLE[:, 0] * WHOLE[:, 1]).mean().item()) < 4 / WHOLE[0, 0].numel() ** 0.5


def test_it_has_the_type_of_the_image():
    assert Noise()(torch.empty(2, 1, 3, 5, dtype=torch.float64)).dtype == torch.float64
