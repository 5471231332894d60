"""What the games against a critic share."""

import torch
from torch import Tensor


def turned_up(w: float, progress: float, begin: float, ramp: float) -> float:
    """0 at `begin`, w from `begin` + `ramp` on, both shares of the training."""
    return w * (min(1.0, (progress - begin) / ramp) if ramp else 1.0)


def slope(score: Tensor, seen: Tensor) -> Tensor:
    """The mean over members of |d score / d seen|^2, the sum over pixels: R1 of [mescheder2018]."""
    (gradient,) = torch.autograd.grad(score.sum(), seen, create_graph=True)
    return (gradient**2).sum() / len(seen)
