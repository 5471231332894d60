"""UAPN's loss against numbers written down."""

from dataclasses import replace
from typing import NamedTuple

import pytest
import torch
from torch import nn
from toys import flat

from panflow import types
from panflow.networks import uapn
from panflow.objectives.uncertainty import Objective, Options
from panflow.types import Batch


class Stage(NamedTuple):
    aleatoric: torch.Tensor
    epistemic: torch.Tensor
    mean: torch.Tensor


class Known(types.Network, nn.Module):
    """Answers 0.5 too much; its stages are 1 and 2 too high, with A = 0.2, 0.4 and E = 0.6, 0.8."""

    predicts = "residual"

    def __init__(self, truth: torch.Tensor):
        super().__init__()
        self.truth = nn.Parameter(truth)

    def staged(self, **inputs):
        ones = torch.ones_like(self.truth)
        stages = [Stage(0.2 * k * ones, (0.4 + 0.2 * k) * ones, self.truth + k) for k in (1, 2)]
        return self.truth + 0.5, stages


def test_the_loss_is_the_published_one():
    batch = flat(2)
    (name, loss), *more = Objective(Options()).losses({"net": Known(batch.target)}, batch)
    likelihood = sum(torch.exp(torch.tensor(-0.2 * k)) * k**2 / 2 + 0.1 * k for k in (1, 2))
    expected = 0.5 + 0.1 * (1 + 2) + 0.01 * likelihood + 0.01 * (0.4 * 2 + 0.6 * 0.5)
    assert name == "net" and not more
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_every_parameter_of_uapn_learns():
    torch.manual_seed(0)
    network = uapn.Network(4)
    shape = {"ms": (1, 4, 8, 8), "pan": (1, 1, 32, 32)}
    images = {name: torch.rand(size) for name, size in shape.items()}
    wide = torch.rand(1, 4, 32, 32)
    seen = replace(flat(1).pair, ms=images["ms"], pan=images["pan"])
    batch = Batch(seen, images, wide, torch.ones(1, 1, 1, 1), wide * 0.1)
    ((_, loss),) = Objective(Options()).losses({"net": network}, batch)
    loss.backward()
    assert all(p.grad is not None and p.grad.any() for p in network.parameters())
