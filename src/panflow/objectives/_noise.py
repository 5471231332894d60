"""What the objectives share that start from noise, or keep a second copy of the network."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from panflow.errors import InputError
from panflow.generative.paths import over
from panflow.generative.samplers import euler
from panflow.objectives._common import ask, bare, needs_residual, takes_state
from panflow.types import Batch


def needs_state(network: nn.Module) -> None:
    """Refuses networks that do not take a noisy residual and a time."""
    needs_residual(network)
    if not takes_state(network):
        raise InputError(
            f"{type(bare(network)).__module__} takes no state and time, and noise has to come in somewhere: "
            "take a network that does (bandwise, otfm, ddif, pandiff), or the objective regression"
        )


def needs_flow(network: nn.Module) -> None:
    """Refuses the denoisers of diffusion too, which count whole steps of a schedule."""
    needs_state(network)
    if bare(network).estimates:
        raise InputError(
            f"{type(bare(network)).__module__} counts the steps of a diffusion, and a flow has times from 0 to 1: "
            "take the objective diffusion"
        )


def normal(like: Tensor, rng: torch.Generator | None) -> Tensor:
    """Standard normal noise of the shape, type and device of an image; `rng` may live elsewhere."""
    return torch.randn(like.shape, generator=rng, device=rng.device if rng else None).to(like)


def uniform(count: int, rng: torch.Generator | None) -> Tensor:
    """U(0, 1), [count]."""
    return torch.rand(count, generator=rng, device=rng.device if rng else None)


def mixed(x1: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """The straight line from noise to the residual, x_t = t noise + (1 - t) x1 at times t [B]."""
    t = over(t, x1)
    return t * noise + (1 - t) * x1


def from_noise(network: nn.Module, batch: Batch, noise: Tensor, scale: float, steps: int) -> Tensor:
    """x1 after `steps` Euler steps from t = 1 to 0, of a network whose answer is the clean residual `scale` * x1.

    dx/dt = (x - x1) / t on the straight line: the last step, t = h, ends on the answer itself.
    """

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        return (x - ask(network, batch, x, t) / scale) / over(t, x)

    return euler(velocity, noise, torch.linspace(1, 0, steps + 1))


def frozen(network: nn.Module) -> nn.Module:
    """A copy that no gradient reaches."""
    return deepcopy(network).requires_grad_(False)


@torch.no_grad()
def follow(copy: nn.Module, network: nn.Module, decay: float) -> None:
    """copy <- decay * copy + (1 - decay) * network; counters and the like are taken over."""
    there = bare(network).state_dict()
    for name, value in bare(copy).state_dict().items():
        if value.is_floating_point():
            value.lerp_(there[name], 1 - decay)
        else:
            value.copy_(there[name])
