"""Noise schedules: published end values, and what re-spacing must keep."""

import pytest
import torch

from panflow.generative.schedules import Schedule, cosine, linear


@pytest.mark.parametrize("betas", [linear(1000), cosine(500)], ids=["linear", "cosine"])
def test_signal_falls_from_nearly_one_to_nearly_none(betas):
    schedule = Schedule.of(betas)
    assert schedule.alpha_bar[0] > 0.999 and 0 < schedule.alpha_bar[-1] < 1e-4
    assert (schedule.alpha_bar.diff() < 0).all()
    torch.testing.assert_close(schedule.betas, betas, atol=1e-12, rtol=1e-9)


def test_linear_is_ddpms():
    """T = 1000, 1e-4 to 0.02 leaves 4.036e-5 of the signal: a known figure of DDPM's forward process."""
    assert Schedule.of(linear(1000)).alpha_bar[-1].item() == pytest.approx(4.0358e-5, rel=1e-4)


def test_cosine_is_half_gone_half_way():
    """cos^2 at (1/2 + s) / (1 + s) of a right angle, over its value at 0; only the last beta is limited."""
    betas = cosine(500)
    assert Schedule.of(betas).alpha_bar[249].item() == pytest.approx(0.4938, abs=1e-4)
    assert (betas == 0.999).nonzero().flatten().tolist() == [499]


def test_respacing_keeps_noise_levels_and_times():
    schedule = Schedule.of(cosine(500))
    few = schedule.respaced(25)
    assert few.times.tolist() == list(range(0, 500, 20))
    torch.testing.assert_close(few.alpha_bar, (1 - few.betas).cumprod(0))
    torch.testing.assert_close(few.alpha_bar, schedule.alpha_bar[few.times], atol=0, rtol=0)
    twice = schedule.respaced(100).respaced(25)
    torch.testing.assert_close(twice.alpha_bar, few.alpha_bar, atol=0, rtol=0)
    assert twice.times.tolist() == few.times.tolist()
    assert schedule.respaced(25, faithful_time=True).times.tolist() == list(range(25))
    assert len(schedule.respaced(30)) == 30  # does not divide 500


def test_even_steps_are_even_in_log_signal_over_noise():
    schedule = Schedule.of(linear(1000))
    few = schedule.even(10)
    assert len(few) == 10
    assert few.times[0] == 0 and few.times[-1] > 950
    torch.testing.assert_close(few.alpha_bar, schedule.alpha_bar[few.times], atol=0, rtol=0)
    length = -few.log_ratio.diff()
    # the first steps of the linear schedule are themselves as long as 0.4 in the logarithm
    assert (length - length.mean()).abs().max() < 0.25 * length.mean()
    ratio = few.alpha_bar / (1 - few.alpha_bar)
    torch.testing.assert_close((2 * few.log_ratio).exp(), ratio)


@pytest.mark.parametrize("steps", [0, 501])
def test_respacing_only_thins_out(steps):
    with pytest.raises(ValueError, match=f"expected 1 to 500 steps, got {steps}"):
        Schedule.of(cosine(500)).respaced(steps)
