"""Samplers against flows and diffusions whose solution is known in closed form."""

import math

import pytest
import torch

from panflow.generative.noise import Noise
from panflow.generative.samplers import ddim, ddpm, dpm_solver, euler
from panflow.generative.schedules import Schedule, cosine

STD = 0.5  # of the Gaussian "images" of the diffusion tests


def gaussian_denoiser(schedule):
    """Posterior mean of x_0 ~ N(0, STD^2) given x_t: sqrt(a) STD^2 / (a STD^2 + 1 - a) x_t."""
    levels = dict(zip(schedule.times.tolist(), schedule.alpha_bar.tolist()))

    def denoise(x, t):
        a = levels[t[0].item()]
        return a**0.5 * STD**2 / (a * STD**2 + 1 - a) * x

    return denoise


def even_angles(steps):
    """a = cos^2(angle), angles even from (nearly) 0 to 1.4: steps of equal length for DDIM."""
    angles = 1.4 * torch.arange(1, steps + 1, dtype=torch.float64) / steps
    return Schedule(angles.cos() ** 2, torch.arange(steps))


def even_logarithms(steps):
    """log(signal / noise) even from 8 (noise of 3e-4) to -2: steps of equal length for DPM-Solver++."""
    ratio = torch.linspace(8, -2, steps + 1, dtype=torch.float64)
    return Schedule(torch.sigmoid(2 * ratio), torch.arange(steps + 1))


def diffusion_error(sampler, schedule):
    """Along the probability flow x_t / sqrt(variance at t) is constant; the end is x_T STD / sqrt(variance)."""
    start = torch.ones(1, 1, 2, 2, dtype=torch.float64)
    a = schedule.alpha_bar[-1].item()
    exact = STD / (a * STD**2 + 1 - a) ** 0.5
    return (sampler(gaussian_denoiser(schedule), start, schedule) - exact).abs().max().item()


def flow_error(sampler, steps):
    """dx/dt = x cos t from 0 to 2: x = exp(sin 2)."""
    start = torch.ones(2, 1, 2, 2, dtype=torch.float64)
    times = torch.linspace(0, 2, steps + 1, dtype=torch.float64)
    end = sampler(lambda x, t: x * t.cos()[:, None, None, None], start, times)
    return (end - math.exp(math.sin(2))).abs().max().item()


@pytest.mark.parametrize(
    ("error", "order"),
    [
        (lambda n: flow_error(euler, n), 1),
        (lambda n: diffusion_error(ddim, even_angles(n)), 1),
        (lambda n: diffusion_error(dpm_solver, even_logarithms(n)), 2),
    ],
    ids=["euler", "ddim", "dpm_solver"],
)
def test_order_of_convergence(error, order):
    slope = math.log2(error(100) / error(200))
    assert slope == pytest.approx(order, abs=0.06)


def test_straight_flow_needs_one_step():
    """A constant velocity is followed exactly, backwards in time too."""
    start, target = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    there = euler(lambda x, t: target - start, start, torch.tensor([0.0, 1.0]))
    back = euler(lambda x, t: target - start, there, torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(there, target)
    torch.testing.assert_close(back, start)


def test_second_order_pays_on_an_even_ladder():
    schedule = Schedule.of(cosine(500))
    first = diffusion_error(ddim, schedule.respaced(25))
    assert diffusion_error(dpm_solver, schedule.even(10)) < 0.6 * first
    assert diffusion_error(dpm_solver, schedule.even(25)) < 0.2 * first


@pytest.mark.parametrize("sampler", [ddim, ddpm, dpm_solver])
def test_known_image_is_reached_through_the_right_noise(sampler):
    """A denoiser that knows the image: x_t must be N(sqrt(a) image, 1 - a) at every step, the end the image."""
    schedule, image = Schedule.of(cosine(500)).respaced(10), 0.7
    rng = torch.Generator().manual_seed(1)
    start = torch.randn(1, 1, 200, 200, generator=rng)
    start = schedule.alpha_bar[-1].sqrt() * image + (1 - schedule.alpha_bar[-1]).sqrt() * start
    seen = {}

    def denoise(x, t):
        seen[t.item()] = (x.mean().item(), x.std().item())
        return torch.full_like(x, image)

    end = sampler(denoise, start, schedule)
    torch.testing.assert_close(end, torch.full_like(end, image))
    assert list(seen) == schedule.times.flip(0).tolist()
    for a, (mean, std) in zip(schedule.alpha_bar.flip(0).tolist(), seen.values(), strict=True):
        assert mean == pytest.approx(a**0.5 * image, abs=0.02)  # four standard errors
        assert std == pytest.approx((1 - a) ** 0.5, rel=0.015)


def test_ancestral_sampler_draws_from_the_posterior():
    """One step against DDPM's own form of mean and variance, eq. 7, written with betas."""
    schedule = Schedule.of(cosine(500)).respaced(25)
    schedule = Schedule(schedule.alpha_bar[:2], schedule.times[:2])
    a, before = schedule.alpha_bar[1].item(), schedule.alpha_bar[0].item()
    beta = schedule.betas[1].item()
    x, clean = 0.9, -0.3
    mean = (before**0.5 * beta * clean + (1 - beta) ** 0.5 * (1 - before) * x) / (1 - a)
    variance = (1 - before) / (1 - a) * beta
    seen = []

    def denoise(y, t):
        seen.append(y)
        return torch.full_like(y, clean)

    ddpm(denoise, torch.full((1, 1, 300, 300), x, dtype=torch.float64), schedule)
    assert seen[1].mean().item() == pytest.approx(mean, abs=4 * variance**0.5 / 300)
    assert seen[1].std().item() == pytest.approx(variance**0.5, rel=0.01)


def test_ancestral_noise_follows_the_seed():
    schedule, start = even_angles(5), torch.ones(1, 1, 8, 8)

    def draw(seed):
        return ddpm(gaussian_denoiser(schedule), start, schedule, noise=Noise(seed))

    torch.testing.assert_close(draw(3), draw(3), atol=0, rtol=0)
    assert (draw(3) - draw(4)).abs().max() > 0.01
