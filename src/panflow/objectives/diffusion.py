"""Diffusion on the residual: a network learns to clean it at every level of noise [ddpm]."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from panflow.errors import InputError
from panflow.generative import samplers, schedules
from panflow.generative.noise import Draw, Noise
from panflow.generative.paths import over
from panflow.generative.schedules import Schedule
from panflow.objectives._common import Base, Settings, ask, bare, mean, target, valid
from panflow.objectives._noise import needs_state, normal, uniform
from panflow.registry import closest
from panflow.settings import Range, Steps
from panflow.types import Batch

NORMS = ("l1", "l2")
SCHEDULES = {"cosine": schedules.cosine, "linear": schedules.linear}
SAMPLERS = {"ddim": samplers.ddim, "ddpm": samplers.ddpm, "dpm_solver": samplers.dpm_solver}


@dataclass(frozen=True)
class Options(Settings):
    """See `Objective`."""

    norm: str = "l1"
    schedule: str = "cosine"
    length: Annotated[int, Range(2, 100_000)] = 500
    sampler: str = "ddim"
    steps: Steps = 25
    scale: float = 1.0
    self_condition: float = 0.0
    faithful_time: bool = False

    def __post_init__(self) -> None:
        closest("norm", self.norm, NORMS)
        closest("schedule", self.schedule, tuple(SCHEDULES))
        closest("sampler", self.sampler, tuple(SAMPLERS))


class Objective(Base):
    """x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) noise, x_0 = target / scale; the network is asked what its `estimates` says:

    "clean": mean |answer / scale - x_0| (norm "l1") or its square ("l2"), the answer in units of batch.unit;
    "noise": the same of answer - noise. The time of such networks is a whole step of the schedule, 0 .. length - 1;
    networks of flows, which declare nothing, estimate the clean residual at the time (step + 1) / length.

    scale: units of the answer that a standard deviation of the noise stands for. DDIF [ddif]: l1, cosine, length 500,
    ddim, 25 steps, scale 1, self_condition 0.5. PanDiff [pandiff]: l2, linear, length 1000, ddpm, 1000 steps, scale
    three times the standard deviation of the residual.

    sampler: "ddim", "ddpm" or "dpm_solver" (on `Schedule.even`, ten steps are many); steps: evaluations of the network.
    self_condition: share of the batches in which a first estimate of x_0 is an input of the network [selfcond]; then
    the sampler feeds back the last one. faithful_time: sample as the released DDIF does, at the times steps - 1 .. 0
    whatever the noise and without feedback.
    """

    options: Options

    def __init__(self, options: Options):
        super().__init__(options)
        o = options
        self.schedule = Schedule.of(SCHEDULES[o.schedule](o.length))
        self.sampler = SAMPLERS[o.sampler]
        if o.sampler == "dpm_solver" and not o.faithful_time:
            self.ladder = self.schedule.even(o.steps)
        else:
            self.ladder = self.schedule.respaced(o.steps, faithful_time=o.faithful_time)
        self.feedback = bool(o.self_condition) and not o.faithful_time

    @property
    def evaluations(self) -> int:
        """How often `predict` asks the network."""
        return len(self.ladder)

    def players(self, network: nn.Module, bands: int | None = None) -> dict[str, nn.Module]:
        needs_state(network)
        if self.options.self_condition and not bare(network).takes_estimate:
            raise InputError(
                f"{type(bare(network)).__module__} takes no earlier estimate: set self_condition = 0, or take ddif"
            )
        return {"net": network}

    def losses(
        self, players: dict[str, nn.Module], batch: Batch, rng: torch.Generator | None = None, *, progress: float = 1.0
    ) -> Iterator[tuple[str, Tensor]]:
        o = self.options
        network = players["net"]
        x0 = target(batch) / o.scale
        step = (uniform(len(x0), rng) * len(self.schedule)).long().cpu()
        times = self.schedule.times[step].to(x0.device)
        a = self.schedule.alpha_bar[step]
        noise = normal(x0, rng)
        x = _noised(x0, noise, a)
        estimate = None
        if o.self_condition and uniform(1, rng).item() < o.self_condition:
            with torch.no_grad():
                estimate = self._clean(network, batch, x, times, a, None)
        answer = self._ask(network, batch, x, times, estimate)
        error = answer - noise if _estimates_noise(network) else answer / o.scale - x0
        loss = mean(error.abs() if o.norm == "l1" else error**2, valid(batch))
        self._log.start(loss=loss)
        yield "net", loss

    def predict(self, network: nn.Module, batch: Batch, noise: Draw | None = None) -> Tensor:
        noise = noise or Noise()
        return self.options.scale * self.sample(network, batch, noise(batch.ms_up, 0), noise)

    def sample(self, network: nn.Module, batch: Batch, x: Tensor, noise: Draw | None = None) -> Tensor:
        """x_0 from the noise x [B, C, H, W]; `noise` is asked for what "ddpm" adds on its way."""
        levels = dict(zip(self.ladder.times.tolist(), self.ladder.alpha_bar))
        last: Tensor | None = None

        def denoise(x: Tensor, times: Tensor) -> Tensor:
            nonlocal last
            clean = self._clean(network, batch, x, times, levels[int(times[0])].expand(len(x)), last)
            last = clean if self.feedback else None
            return clean

        return self.sampler(denoise, x, self.ladder, noise=noise)

    def _ask(self, network: nn.Module, batch: Batch, x: Tensor, times: Tensor, estimate: Tensor | None) -> Tensor:
        if estimate is not None:
            batch = replace(batch, inputs={**batch.inputs, "estimate": estimate})
        counts = bare(network).estimates is not None
        return ask(network, batch, x, times if counts else ((times + 1) / len(self.schedule)).to(x.dtype))

    def _clean(
        self, network: nn.Module, batch: Batch, x: Tensor, times: Tensor, a: Tensor, estimate: Tensor | None
    ) -> Tensor:
        """The estimate of x_0 where a [B] of the signal is left."""
        answer = self._ask(network, batch, x, times, estimate)
        if not _estimates_noise(network):
            return answer / self.options.scale
        return (x - over((1 - a).sqrt(), x) * answer) / over(a.sqrt(), x)


def _noised(x0: Tensor, noise: Tensor, a: Tensor) -> Tensor:
    return over(a.sqrt(), x0) * x0 + over((1 - a).sqrt(), x0) * noise


def _estimates_noise(network: Any) -> bool:
    return bare(network).estimates == "noise"
