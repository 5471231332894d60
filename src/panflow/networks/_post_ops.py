"""Convolutions with post-ops, oneDNN's name for what is applied to a result before it is stored: on a CPU and without
gradients, a pass through memory less for each.

torch's compiler calls these operations of oneDNN; where they are missing or answer otherwise, plain ones do the same.
"""

from functools import cache

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d


def conv_relu(layer: nn.Conv2d, x: Tensor) -> Tensor:
    """ReLU(layer(x))."""
    if available(x.device, x.dtype):
        return torch.ops.mkldnn._convolution_pointwise(x, *_arguments(layer), "relu", [], "")
    return layer(x).relu_()


def conv_add_(h: Tensor, layer: nn.Conv2d, x: Tensor) -> Tensor:
    """h + layer(x), in the place of h."""
    if available(x.device, x.dtype):
        return torch.ops.mkldnn._convolution_pointwise_.binary(h, x, *_arguments(layer), "add", None, None, [], None)
    return h.add_(layer(x))


def _arguments(layer: nn.Conv2d) -> tuple:
    shape = list(layer.padding), list(layer.stride), list(layer.dilation)
    return layer.weight, layer.bias, *shape, layer.groups


@cache
def available(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether the operations are there and right, tried on a small image."""
    if device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    x, weight = (torch.linspace(-1, 1, n, dtype=dtype) for n in (128, 36))  # drawing would move a generator
    bias = weight[:2]
    x = x.reshape(1, 2, 8, 8)
    weight = weight.reshape(2, 2, 3, 3)
    plain = conv2d(x, weight, bias, padding=1)
    arguments = weight, bias, [1, 1], [1, 1], [1, 1], 1
    try:
        relu = torch.ops.mkldnn._convolution_pointwise(x, *arguments, "relu", [], "")
        total = plain.clone()
        torch.ops.mkldnn._convolution_pointwise_.binary(total, x, *arguments, "add", None, None, [], None)
    except (AttributeError, RuntimeError, TypeError):
        return False
    return torch.allclose(relu, plain.relu(), atol=0.02) and torch.allclose(total, 2 * plain, atol=0.04)
