"""Convolutions joined with what follows give what they give apart."""

import pytest
import torch
from torch import nn

from panflow.networks import _joined


@pytest.mark.parametrize("joins", [True, False], ids=["joined", "apart"])
@pytest.mark.parametrize("dtype, near", [(torch.float32, 1e-5), (torch.bfloat16, 0.02)])
@pytest.mark.parametrize("dilation", [1, 2])
def test_they_are_equal_to_two_steps(monkeypatch, dilation, dtype, near, joins):
    if not joins:
        monkeypatch.setattr(_joined, "_joins", lambda device, dtype: False)
    torch.manual_seed(0)
    layer = nn.Conv2d(32, 32, 3, padding=dilation, dilation=dilation).to(memory_format=torch.channels_last)
    x, h = (torch.randn(1, 32, 20, 24).contiguous(memory_format=torch.channels_last) for _ in range(2))
    with torch.no_grad():
        relu, total = layer(x).relu(), h + layer(x)
        layer, x, h = layer.to(dtype), x.to(dtype), h.to(dtype)
        torch.testing.assert_close(_joined.relu_of(layer, x).float(), relu, atol=near, rtol=near)
        found = _joined.add_to(h, layer, x)
    torch.testing.assert_close(found.float(), total, atol=near, rtol=near)
    assert found.data_ptr() == h.data_ptr()


def test_they_are_joined_where_torch_can_and_asking_moves_no_generator():
    _joined._joins.cache_clear()
    before = torch.get_rng_state()
    assert _joined._joins(torch.device("cpu"), torch.float32) == torch.backends.mkldnn.is_available()
    assert torch.equal(torch.get_rng_state(), before)
