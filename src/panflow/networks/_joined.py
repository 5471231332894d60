"""Convolutions joined with what follows them, on a CPU and without gradients: a pass through memory less for each.

torch's compiler calls these operations of oneDNN; where they are missing or answer otherwise, plain ones do the same.
"""

from functools import cache

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d


def relu_of(layer: nn.Conv2d, x: Tensor) -> Tensor:
    """ReLU(layer(x))."""
    if _joins(x.device, x.dtype):
        return torch.ops.mkldnn._convolution_pointwise(x, *_told(layer), "relu", [], "")
    return layer(x).relu_()


def add_to(h: Tensor, layer: nn.Conv2d, x: Tensor) -> Tensor:
    """h + layer(x), in the place of h."""
    if _joins(x.device, x.dtype):
        return torch.ops.mkldnn._convolution_pointwise_.binary(h, x, *_told(layer), "add", None, None, [], None)
    return h.add_(layer(x))


def _told(layer: nn.Conv2d) -> tuple:
    shape = list(layer.padding), list(layer.stride), list(layer.dilation)
    return layer.weight, layer.bias, *shape, layer.groups


@cache
def _joins(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether the joined operations are there and right, which a small image tells."""
    if device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    x, weight = (torch.linspace(-1, 1, n, dtype=dtype) for n in (128, 36))  # drawn numbers would move torch's generator
    x, weight, bias = x.reshape(1, 2, 8, 8), weight.reshape(2, 2, 3, 3), weight[:2]
    plain, told = conv2d(x, weight, bias, padding=1), (weight, bias, [1, 1], [1, 1], [1, 1], 1)
    try:
        one = torch.ops.mkldnn._convolution_pointwise(x, *told, "relu", [], "")
        two = plain.clone()
        torch.ops.mkldnn._convolution_pointwise_.binary(two, x, *told, "add", None, None, [], None)
    except (AttributeError, RuntimeError, TypeError):
        return False
    return torch.allclose(one, plain.relu(), atol=0.02) and torch.allclose(two, 2 * plain, atol=0.04)
