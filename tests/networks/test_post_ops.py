"""Convolutions with post-ops give what two steps give."""

import pytest
import torch
from torch import nn

from panflow.networks import _post_ops


@pytest.mark.parametrize("available", [True, False], ids=["post-ops", "plain"])
@pytest.mark.parametrize("dtype, near", [(torch.float32, 1e-5), (torch.bfloat16, 0.02)])
@pytest.mark.parametrize("dilation", [1, 2])
def test_they_are_equal_to_two_steps(monkeypatch, dilation, dtype, near, available):
    if not available:
        monkeypatch.setattr(_post_ops, "available", lambda device, dtype: False)
    torch.manual_seed(0)
    layer = nn.Conv2d(32, 32, 3, padding=dilation, dilation=dilation).to(memory_format=torch.channels_last)
    x, h = (torch.randn(1, 32, 20, 24).contiguous(memory_format=torch.channels_last) for _ in range(2))
    with torch.no_grad():
        relu, total = layer(x).relu(), h + layer(x)
        layer, x, h = layer.to(dtype), x.to(dtype), h.to(dtype)
        torch.testing.assert_close(_post_ops.conv_relu(layer, x).float(), relu, atol=near, rtol=near)
        found = _post_ops.conv_add_(h, layer, x)
    torch.testing.assert_close(found.float(), total, atol=near, rtol=near)
    assert found.data_ptr() == h.data_ptr()


def test_they_are_used_where_torch_has_them_and_trying_moves_no_generator():
    _post_ops.available.cache_clear()
    before = torch.get_rng_state()
    assert _post_ops.available(torch.device("cpu"), torch.float32) == torch.backends.mkldnn.is_available()
    assert torch.equal(torch.get_rng_state(), before)
