"""Counts as a share of the largest that the sensor can write."""

from collections.abc import Iterable
from copy import deepcopy
from typing import Self

import torch
from torch import Tensor, nn

from panflow import types
from panflow.errors import InputError
from panflow.types import Pair


def peak(bits: int) -> float:
    """The largest count of so many bits."""
    return float(2**bits - 1)


class Transform(types.Transform, nn.Module):
    """y = x / (2**bits - 1), MS and PAN alike; `bits` comes from the scene's sensor where it is not given."""

    peak: Tensor  # [1, 1, 1, 1]

    def __init__(self, bits: int | None = None):
        super().__init__()
        self.bits = bits
        # not in the state dict: the next scene's sensor decides anew
        self.register_buffer("peak", torch.full((1, 1, 1, 1), peak(bits or 0)), persistent=False)

    def fit(self, scene: Iterable[Pair]) -> Self:
        fitted = deepcopy(self)
        if self.bits is None:
            fitted.peak.fill_(peak(next(iter(scene)).sensor.bits))
        return fitted

    def unit(self) -> Tensor:
        if self.bits is None and not self.peak.any():
            raise InputError("the transform has no bit depth yet: give `bits`, or fit it to a scene")
        return self.peak

    def ms(self, x: Tensor) -> Tensor:
        return x / self.unit()

    def pan(self, x: Tensor) -> Tensor:
        return x / self.unit()

    def inverse_ms(self, y: Tensor) -> Tensor:
        return y * self.unit()
