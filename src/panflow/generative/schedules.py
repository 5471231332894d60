"""Noise schedules of diffusion: how much of the signal is left at each of T steps."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Schedule:
    """x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) noise, for steps i = 0 .. N-1 of rising noise [ddpm, eq. 4].

    `alpha_bar` a [N], float64, falling from nearly 1; `times` [N]: the whole number that the network gets
    at each step, i.e. where it lies on the schedule that the network was trained with.
    """

    alpha_bar: Tensor
    times: Tensor

    @classmethod
    def of(cls, betas: Tensor) -> "Schedule":
        """a_t = prod_{s <= t} (1 - beta_s), times 0 .. N-1."""
        return cls((1 - betas.double()).cumprod(0), torch.arange(len(betas)))

    @property
    def betas(self) -> Tensor:
        """Variance of the noise added in each step, 1 - a_t / a_{t-1} with a_{-1} = 1."""
        return 1 - self.alpha_bar / torch.cat([self.alpha_bar.new_ones(1), self.alpha_bar[:-1]])

    @property
    def log_ratio(self) -> Tensor:
        """log(signal / noise) [N], from high to low."""
        return 0.5 * torch.log(self.alpha_bar / (1 - self.alpha_bar))

    def __len__(self) -> int:
        return len(self.alpha_bar)

    def respaced(self, steps: int, *, faithful_time: bool = False) -> "Schedule":
        """Keep every (N // steps)-th step from 0 on; their noise levels stay, the betas between them change.

        `faithful_time` hands the network 0 .. steps-1 instead of the kept steps, as the released DDIF does
        by mistake: it samples as if nearly without noise [ddif].
        """
        if not 1 <= steps <= len(self):
            raise ValueError(f"expected 1 to {len(self)} steps, got {steps}: steps can only be left out")
        kept = slice(0, steps * (len(self) // steps), len(self) // steps)
        times = torch.arange(steps) if faithful_time else self.times[kept]
        return Schedule(self.alpha_bar[kept], times)

    def even(self, steps: int) -> "Schedule":
        """Keep the steps nearest to `steps` (or, where two meet, fewer) even ones in log(signal / noise), which is how
        DPM-Solver++ likes them. From e**-5 on, below which nothing of the image is left, to the first."""
        ratio = self.log_ratio
        wanted = torch.linspace(ratio[-1].clamp_min(-5), ratio[0], steps, dtype=ratio.dtype)
        kept = (ratio - wanted[:, None]).abs().argmin(1).unique()
        return Schedule(self.alpha_bar[kept], self.times[kept])


def linear(steps: int, first: float = 1e-4, last: float = 2e-2) -> Tensor:
    """Betas [steps], float64, from `first` to `last` in equal steps [ddpm]."""
    return torch.linspace(first, last, steps, dtype=torch.float64)


def cosine(steps: int, offset: float = 0.008, limit: float = 0.999) -> Tensor:
    """Betas [steps], float64, of a_t = f(t) / f(0), f(t) = cos^2(pi/2 (t/T + s) / (1 + s)) [iddpm, eq. 17]."""
    t = torch.arange(steps + 1, dtype=torch.float64) / steps
    f = torch.cos((t + offset) / (1 + offset) * torch.pi / 2) ** 2
    return (1 - f[1:] / f[:-1]).clamp(max=limit)
