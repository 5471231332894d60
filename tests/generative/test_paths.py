"""The line from ms_up to the truth, its noise and the laws of its time."""

import pytest
import torch

from panflow.generative import paths
from panflow.generative.samplers import euler


@pytest.fixture
def x1():
    return torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


T = torch.tensor([0.0, 0.3, 0.7, 1.0], dtype=torch.float64)


def test_ends_of_the_line(x1):
    z, s = paths.line(x1, T)
    assert torch.equal(z[0], x1[0]) and not z[3].any()
    assert torch.equal(s, x1)


def test_the_exact_velocity_arrives_at_the_truth_from_any_time(x1):
    z, s = paths.line(x1, T)
    assert torch.allclose(paths.arrive(z, T, s), x1, rtol=0, atol=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_euler_with_the_exact_velocity_is_exact(x1, steps):
    found = euler(lambda z, t: -x1, torch.zeros_like(x1), torch.linspace(1, 0, steps + 1))
    assert torch.allclose(found, x1, rtol=0, atol=1e-6)


def test_bridge(x1):
    t = T.clamp_min(paths.EARLIEST)
    noise = torch.randn(x1.shape, generator=torch.Generator().manual_seed(1), dtype=x1.dtype)
    z, s = paths.bridge(x1, t, noise, 0.4)
    assert torch.allclose(paths.arrive(z, t, s), x1, rtol=0, atol=1e-10)
    assert not z[3].any()  # t = 1 stays what it is
    spread = (z - paths.line(x1, t)[0])[1]
    assert torch.allclose(spread, 0.4 * (0.3 * 0.7) ** 0.5 * noise[1])
    plain = paths.bridge(x1, t, noise, 0.0)
    assert torch.allclose(plain[0], paths.line(x1, t)[0]) and torch.allclose(plain[1], x1)


def test_laws_of_time():
    def times(law: str, p1: float = 0.5) -> torch.Tensor:
        return paths.draw_times(law, 20_000, torch.Generator().manual_seed(3), p1)

    assert (times("one") == 1).all()
    uniform, mix = times("uniform"), times("mix", 0.25)
    assert not (uniform == 1).any() and abs(uniform.mean() - 0.5) < 0.01
    assert abs((mix == 1).float().mean() - 0.25) < 0.01
    assert abs(mix[mix < 1].mean() - 0.5) < 0.01
    assert torch.equal(mix, times("mix", 0.25))
