"""DDIF's denoiser, its condition and a 25-step sample against recorded runs of the public code."""

import pytest
import torch
from golden import load, parameters, recorded

from panflow.generative.samplers import ddim
from panflow.generative.schedules import Schedule, cosine
from panflow.networks import ddif

TOLERANCE = 1e-4  # of samples: 25 passes of the network


@pytest.fixture(scope="module")
def network(shared):
    return load(ddif.Network(4), recorded(shared, "seeded/ddif_4b.npz")[0], ddif.Network.KEYS).requires_grad_(False)


@pytest.fixture(scope="module")
def run(shared):
    return recorded(shared, "seeded/ddif_4b_ddim25.npz")[1]


@pytest.mark.parametrize(("bands", "expected"), [(4, 10_250_324), (8, 10_397_208)])
def test_parameters(bands, expected):
    with torch.device("meta"):
        assert parameters(ddif.Network(bands)) == expected


def test_forward(shared, network):
    _, data = recorded(shared, "seeded/ddif_4b.npz")
    residual = network(data["in/xt"], data["ex/t"], data["in/ms"], data["in/lms"], data["in/pan"])
    torch.testing.assert_close(residual, data["out"], atol=1e-5, rtol=0)


def test_condition(shared):
    _, data = recorded(shared, "seeded/ddif_4b.npz")
    ms_up, pan = data["in/lms"], data["in/pan"]
    condition = torch.cat([ms_up, pan, ddif.wavelet_condition(ms_up, pan)], 1)
    torch.testing.assert_close(condition, data["ex/cond"], atol=1e-6, rtol=0)


def test_schedules(run):
    for steps in (500, 25):
        betas = cosine(steps)
        torch.testing.assert_close(betas.float(), run[f"betas_{steps}"], atol=0, rtol=0)
        # the recorded ones were taken from float32 signal levels, half of whose last place is 6e-8
        respaced = Schedule.of(betas).respaced(25)
        torch.testing.assert_close(respaced.betas.float(), run[f"betas_{steps}_after_ddim25"], atol=1.2e-7, rtol=0)


def sample(network, run, schedule, feedback):
    ms_up, pan = run["cond"][:, :4], run["cond"][:, 4:5]
    estimate = None

    def denoise(x, t):
        nonlocal estimate
        clean = network(x, t, None, ms_up, pan, estimate)
        estimate = clean if feedback else None
        return clean

    return ddim(denoise, run["noise"], schedule)


@pytest.mark.parametrize("steps", [500, 25])
def test_released_sampler(network, run, steps):
    """25 DDIM steps, told the times 24 .. 0 whatever the noise, and no self-conditioning."""
    schedule = Schedule.of(cosine(steps)).respaced(25, faithful_time=True)
    torch.testing.assert_close(sample(network, run, schedule, False), run[f"out_{steps}"], atol=TOLERANCE, rtol=0)


def test_right_times_and_feedback_differ(network, run):
    """What the paper means: times 480 .. 0, the last estimate fed back. Each alone changes the sample,
    by far more than the tolerance of the test above."""
    schedule = Schedule.of(cosine(500))
    right = sample(network, run, schedule.respaced(25), False)
    assert (right - run["out_500"]).abs().max() > 100 * TOLERANCE
    plain, fed = (sample(network, run, schedule.respaced(5), feedback) for feedback in (False, True))
    assert (fed - plain).abs().max() > 100 * TOLERANCE


def test_start_ignores_the_images():
    """Style modulation starts at scale 0, shift 0: the encoder's first block must not see the condition."""
    torch.manual_seed(0)
    style = ddif.Style(4, 6, 5)
    x = torch.rand(1, 4, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(style(x, torch.rand(1, 5, 8, 8)), style.project(x))


def test_stochastic_depth_drops_whole_images():
    wavelet = ddif.Wavelet(8, 8, 7, drop=0.25).train()
    torch.manual_seed(0)
    kept = wavelet.dropped(torch.ones(400, 2, 3, 3))
    assert kept.unique().tolist() == pytest.approx([0, 4 / 3])
    assert (kept.amax((1, 2, 3)) == kept.amin((1, 2, 3))).all()
    assert kept.mean().item() == pytest.approx(1, abs=0.1)
    assert (wavelet.eval().dropped(torch.ones(9, 2, 3, 3)) == 1).all()
