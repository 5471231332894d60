"""The flow that flow matching and OTFM have in common: a draw from the path, the network's velocity, its loss."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from panflow.errors import InputError
from panflow.generative import paths
from panflow.objectives._common import (
    Energy,
    Log,
    Settings,
    ask,
    bare,
    mean,
    needs_residual,
    reconstruction,
    sample_means,
    takes_state,
    target,
    valid,
)
from panflow.registry import closest
from panflow.settings import Amount, Share, Steps
from panflow.types import Batch


@dataclass(frozen=True)
class Step:
    """x1, z and s [B, C, H, W] in units of the answer, t [B], energy: mean square of x1, loss: |s - velocity|^2_n."""

    x1: Tensor
    z: Tensor
    t: Tensor
    s: Tensor
    energy: Tensor
    loss: Tensor


@dataclass(frozen=True)
class FlowOptions(Settings):
    """t_law ("mix", "one", "uniform"), p1: see `paths.draw_times`; bridge_sigma: noise on the path, in units of sigma;
    sigma: root mean square of the residual in units of the answer, tracked over training where it is None; steps: Euler
    steps of the prediction."""

    t_law: str = "mix"
    p1: Share = 0.5
    bridge_sigma: Amount = 0.0
    sigma: Amount | None = None
    steps: Steps = 1

    def __post_init__(self) -> None:
        closest("t_law", self.t_law, paths.LAWS)


class Flow(nn.Module):
    """Draws from the line and measures the velocity: mean (s - (x1 - 0))^2 / sigma^2."""

    def __init__(self, options: FlowOptions):
        super().__init__()
        self.options = options
        self.energy = Energy()

    def check(self, network: nn.Module) -> None:
        """Refuses networks that cannot learn from this path."""
        needs_residual(network)
        if self.options.t_law != "one" and not takes_state(network):
            raise InputError(
                f"{type(bare(network)).__module__} takes no state and time, so that only t = 1 makes sense: "
                'set t_law = "one", or take the objective regression'
            )

    def step(self, network: nn.Module, batch: Batch, rng: torch.Generator | None, log: Log) -> Step:
        o = self.options
        x1 = target(batch)
        mask = valid(batch)
        tracked = self.energy(x1, mask)
        energy = tracked if o.sigma is None else torch.full_like(tracked, o.sigma**2)
        t = paths.draw_times(o.t_law, len(x1), rng, o.p1).to(x1)
        if o.bridge_sigma:
            t = t.clamp_min(paths.EARLIEST)
            noise = torch.randn(x1.shape, generator=rng, device=rng.device if rng else None).to(x1)
            z, velocity = paths.bridge(x1, t, noise, o.bridge_sigma * energy.sqrt())
        else:
            z, velocity = paths.line(x1, t)
        s = ask(network, batch, z, t)
        error = (s - velocity) ** 2 / energy
        each = sample_means(error.detach(), mask)
        last = (t == 1).to(x1)
        log.start(
            flow_at_1=(each * last).sum() / last.sum(),
            flow_before_1=(each * (1 - last)).sum() / (1 - last).sum(),
            sigma=energy.sqrt(),
            **reconstruction(s, x1, mask, last),
        )
        return Step(x1, z, t, s, energy, mean(error, mask))
