"""Mathematics of the blocks that the Fourier family of networks shares."""

import torch
from torch import nn

from panflow.networks._blocks import (
    ContrastGate,
    Dense,
    FourierFuse,
    HalfInstanceNorm,
    InvBlock,
    InvertibleConv,
)


def test_invertible_convolution_starts_as_a_rotation():
    x = torch.randn(1, 6, 3, 3, generator=torch.Generator().manual_seed(0))
    y = InvertibleConv(6)(x)
    torch.testing.assert_close(y.norm(dim=1), x.norm(dim=1))
    assert not torch.allclose(y, x)


def test_coupling_is_invertible():
    torch.manual_seed(0)
    block = InvBlock(5, 2, Dense, mix=False)
    x = torch.randn(1, 5, 8, 8)
    with torch.no_grad():
        y1, y2 = block(x).split([2, 3], 1)
        x2 = (y2 - block.G(y1)) * torch.exp(-0.8 * (2 * block.H(y1).sigmoid() - 1))
        x1 = y1 - block.F(x2)
    torch.testing.assert_close(torch.cat([x1, x2], 1), x, atol=1e-5, rtol=0)


def test_half_instance_norm_touches_the_first_half_only():
    x = 3 + 2 * torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    y = HalfInstanceNorm(4)(x)
    torch.testing.assert_close(y[:, 2:], x[:, 2:])
    torch.testing.assert_close(y[:, :2].mean((2, 3)), torch.zeros(2, 2), atol=1e-5, rtol=0)
    torch.testing.assert_close(y[:, :2].std((2, 3), correction=0), torch.ones(2, 2), atol=1e-4, rtol=0)


def test_contrast_gate_has_a_gradient_on_a_constant_map():
    x = torch.ones(1, 4, 8, 8, requires_grad=True)
    ContrastGate(4, 2)(x).sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()


def test_fourier_fuse_stays_in_single_precision_under_autocast():
    torch.manual_seed(0)
    fuse = FourierFuse(2)
    fuse.post = nn.Identity()  # what leaves the transform
    x = torch.ones(1, 2, 12, 10)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = fuse(x, x)
    assert y.dtype == torch.float32 and y.shape == x.shape
