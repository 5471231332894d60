"""The straight line from interpolated MS to the truth, in units of the residual, and the laws of its time.

With x1 = (reference - ms_up) / unit the state is z_t = (1 - t) x1: zero (ms_up itself) at t = 1, the truth at
t = 0. A network that answers s = x1 moves it by dz = -s dt, and from any t the truth is z_t + t s [otfm].
"""

import torch
from torch import Tensor

LAWS = ("mix", "one", "uniform")
EARLIEST = 1e-3  # with noise the velocity divides by t


def draw_times(law: str, count: int, rng: torch.Generator | None = None, p1: float = 0.5) -> Tensor:
    """Times [count]: "one" is t = 1, "uniform" U(0, 1), "mix" t = 1 with probability p1, else U(0, 1).

    For t < 1 the state gives the truth away, x1 = z_t / (1 - t); sharpening in one step is what happens at
    t = 1, which U(0, 1) never visits.
    """
    device = rng.device if rng else None
    times = torch.rand(count, generator=rng, device=device)
    chance = {"mix": p1, "one": 1.0, "uniform": 0.0}[law]
    return torch.where(torch.rand(count, generator=rng, device=device) < chance, 1.0, times)


def line(x1: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """State z_t and velocity s at times t [B] of residuals [B, C, H, W]."""
    return (1 - over(t, x1)) * x1, x1


def bridge(x1: Tensor, t: Tensor, noise: Tensor, sigma: float | Tensor) -> tuple[Tensor, Tensor]:
    """The line with noise in between: z_t = (1 - t) x1 + sigma sqrt(t (1 - t)) noise, s = (x1 - z_t) / t.

    Blurs what the state tells of the truth and leaves both ends as they are. Wants t >= EARLIEST.
    """
    t = over(t, x1)
    z = (1 - t) * x1 + sigma * (t * (1 - t)).sqrt() * noise
    return z, (x1 - z) / t


def arrive(z: Tensor, t: Tensor, s: Tensor) -> Tensor:
    """Where the line that goes through z at time t with velocity s ends: z + t s.

    Algorithm 1 of [otfm] prints z + s, which overshoots by (1 - t) x1 even for the exact velocity.
    """
    return z + over(t, z) * s


def over(t: Tensor, image: Tensor) -> Tensor:
    """Times [B] as [B, 1, 1, 1], of the image's type and device."""
    return t.to(image)[:, None, None, None]
