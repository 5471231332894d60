"""Consistency training: neighbours on a line to the truth must agree on where it ends [consistency]."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor, nn

from panflow.generative.noise import Draw, Noise
from panflow.generative.paths import arrive, over
from panflow.objectives import _common
from panflow.objectives._common import Base, Energy, Settings, ask, mean, reconstruction, target, valid
from panflow.objectives._noise import follow, frozen, mixed, needs_flow, normal, uniform
from panflow.registry import closest
from panflow.settings import Steps
from panflow.types import Batch

STARTS = ("ms", "noise")


@dataclass(frozen=True)
class Options(Settings):
    """See `Objective`."""

    start: str = "noise"
    first: Steps = 20
    last: Steps = 150
    ema: float = 0.95
    scale: float = 1.0

    def __post_init__(self) -> None:
        closest("start", self.start, STARTS)


class Objective(Base):
    """With t = n / N, n drawn from 1 .. N, t' = t - 1 / N, and z, z' the points of one line at both times:

        mean (F(z, t) - F'(z', t'))^2 * N / sigma^2,   F(z, t) = z + t s,

    F' the same of a running average that no gradient reaches. No teacher finds z' from z (the "Euler step" of
    [consistency, algorithm 3]): the line to the truth is given. N grows from `first` to `last` along the training as
    in [consistency, appendix C], and the average's decay with it, exp(first log(ema) / N).

    start "ms": z = (1 - t) x1, s the answer, x1 = target. For t < 1 the state gives x1 away, so that only t = 1 is
    learned there, by way of the others. start "noise": z = t noise + (1 - t) x1, x1 = target / scale; the network
    answers the clean residual at t = 1 and s = answer / scale - z. In both F(z, 0) = z, and one step is F at t = 1.
    scale: units of the answer that a standard deviation of the noise stands for.
    """

    options: Options

    def __init__(self, options: Options):
        super().__init__(options)
        self.noisy = options.start == "noise"
        self.scale = options.scale if self.noisy else 1.0
        self.energy = Energy()

    def players(self, network: nn.Module, bands: int | None = None) -> dict[str, nn.Module]:
        """The average is a player so that it is kept with the others; no loss is ever yielded for it."""
        needs_flow(network)
        return {"net": network, "average": frozen(network)}

    def losses(
        self, players: dict[str, nn.Module], batch: Batch, rng: torch.Generator | None = None, *, progress: float = 1.0
    ) -> Iterator[tuple[str, Tensor]]:
        network, average = players["net"], players["average"]
        mask = valid(batch)
        count = self.intervals(progress)
        x1 = target(batch) / self.scale
        energy = self.energy(x1, mask)
        n = (uniform(len(x1), rng) * count).floor().to(x1) + 1
        now, before = n / count, (n - 1) / count
        z, z_before = self._line(x1, now, before, rng)
        with torch.no_grad():
            end_before = self.arrival(average, batch, z_before, before)
        end = self.arrival(network, batch, z, now)
        loss = mean((end - end_before) ** 2, mask) * count / energy
        self._log.start(loss=loss, intervals=count, **reconstruction(end, x1, mask, now == 1))
        yield "net", loss
        follow(average, network, self.options.ema ** (self.options.first / count))

    def predict(self, network: nn.Module, batch: Batch, noise: Draw | None = None) -> Tensor:
        z, t = _common.start(batch)
        return self.scale * self.arrival(network, batch, (noise or Noise())(z, 0) if self.noisy else z, t)

    def arrival(self, network: nn.Module, batch: Batch, z: Tensor, t: Tensor) -> Tensor:
        """F(z, t)."""
        answer = ask(network, batch, z, t)
        return arrive(z, t, answer / self.scale - z if self.noisy else answer)

    def intervals(self, progress: float) -> int:
        """N: its square grows evenly."""
        first, last = self.options.first, self.options.last
        return ceil((first**2 + progress * (last**2 - first**2)) ** 0.5)

    def _line(self, x1: Tensor, now: Tensor, before: Tensor, rng: torch.Generator | None) -> tuple[Tensor, Tensor]:
        if not self.noisy:
            return (1 - over(now, x1)) * x1, (1 - over(before, x1)) * x1
        noise = normal(x1, rng)
        return mixed(x1, noise, now), mixed(x1, noise, before)
