"""Consistency training: neighbours on a line to the truth must agree on where it ends [consistency]."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

import torch
from torch import Tensor, nn

from panflow.generative.noise import Draw, Noise
from panflow.generative.paths import arrive, over
from panflow.objectives import _common
from panflow.objectives._common import Alone, Energy, ask, mean, reconstruction, target, valid
from panflow.objectives._noise import follow, frozen, mixed, needs_flow, normal, uniform
from panflow.registry import closest
from panflow.types import Batch

STARTS = ("ms", "noise")


class Objective(Alone):
    """With t = n / N, n drawn from 1 .. N, t' = t - 1 / N, and z, z' the points of one line at both times:

        mean (F(z, t) - F'(z', t'))^2 * N / sigma^2,   F(z, t) = z + t s,

    F' the same of a running average that no gradient reaches. No teacher finds z' from z (the "Euler step" of
    [consistency, algorithm 3]): the line to the truth is known. N grows from `first` to `last` along the training as
    in [consistency, appendix C], and the average's decay with it, exp(first log(ema) / N).

    start "ms": z = (1 - t) x1, s the answer, x1 = target. For t < 1 the state gives x1 away, so that only t = 1 is
    learned there, by way of the others. start "noise": z = t noise + (1 - t) x1, x1 = target / scale; the network
    answers the clean residual at t = 1 and s = answer / scale - z. In both F(z, 0) = z, and one step is F at t = 1.
    scale: units of the answer that a standard deviation of the noise stands for.
    """

    def __init__(self, start: str = "noise", first: int = 20, last: int = 150, ema: float = 0.95, scale: float = 1.0):
        super().__init__()
        self.noisy = closest("start", start, STARTS) == "noise"
        self.first, self.last, self.ema, self.scale = first, last, ema, scale if self.noisy else 1.0
        self.energy = Energy()

    def players(self, network: nn.Module, bands: int | None = None) -> dict[str, nn.Module]:
        """The average is a player so that it is kept with the others; no loss is ever yielded for it."""
        needs_flow(network)
        return {"net": network, "average": frozen(network)}

    def losses(
        self, players: dict[str, nn.Module], batch: Batch, rng: torch.Generator | None = None, *, progress: float = 1.0
    ) -> Iterator[tuple[str, Tensor]]:
        network, average = players["net"], players["average"]
        x1, mask, count = target(batch) / self.scale, valid(batch), self.intervals(progress)
        energy = self.energy(x1, mask)
        n = (uniform(len(x1), rng) * count).floor().to(x1) + 1
        now, before = n / count, (n - 1) / count
        z, earlier = self._line(x1, now, before, rng)
        with torch.no_grad():
            wanted = self.arrival(average, batch, earlier, before)
        end = self.arrival(network, batch, z, now)
        loss = mean((end - wanted) ** 2, mask) * count / energy
        self._log.start(loss=loss, intervals=count, **reconstruction(end, x1, mask, now == 1))
        yield "net", loss
        follow(average, network, self.ema ** (self.first / count))

    def predict(self, network: nn.Module, batch: Batch, noise: Draw | None = None) -> Tensor:
        z, t = _common.start(batch)
        return self.scale * self.arrival(network, batch, (noise or Noise())(z, 0) if self.noisy else z, t)

    def arrival(self, network: nn.Module, batch: Batch, z: Tensor, t: Tensor) -> Tensor:
        """F(z, t)."""
        answer = ask(network, batch, z, t)
        return arrive(z, t, answer / self.scale - z if self.noisy else answer)

    def intervals(self, progress: float) -> int:
        """N: its square grows evenly."""
        return ceil((self.first**2 + progress * (self.last**2 - self.first**2)) ** 0.5)

    def _line(self, x1: Tensor, now: Tensor, before: Tensor, rng: torch.Generator | None) -> tuple[Tensor, Tensor]:
        if not self.noisy:
            return (1 - over(now, x1)) * x1, (1 - over(before, x1)) * x1
        noise = normal(x1, rng)
        return mixed(x1, noise, now), mixed(x1, noise, before)
