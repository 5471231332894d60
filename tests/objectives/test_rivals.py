"""What the generative objectives have in common: a step that helps, samples that follow the seed, honest counts."""

import pytest
import torch
from batches import Denoiser, batch_of, place
from toys import RNG, Counting

from panflow.generative.noise import Noise
from panflow.objectives import consistency, diffusion, gan, neural_ot, reflow

RIVALS = {
    "diffusion": (lambda: diffusion.Objective(diffusion.Options("l2", length=50, steps=5, scale=0.3)), 5),
    "diffusion, ancestral": (lambda: diffusion.Objective(diffusion.Options("l2", "linear", 50, "ddpm", 10, 0.3)), 10),
    "diffusion, solver": (
        lambda: diffusion.Objective(diffusion.Options("l1", length=500, sampler="dpm_solver", steps=6)),
        6,
    ),
    "reflow, teacher": (lambda: reflow.Objective(reflow.Options(teach=1.0, scale=0.3, predict_steps=4)), 4),
    "reflow": (lambda: reflow.Objective(reflow.Options(teach=0.0, steps=3, scale=0.3)), 1),
    "consistency, ms": (lambda: consistency.Objective(consistency.Options("ms")), 1),
    "consistency, noise": (lambda: consistency.Objective(consistency.Options("noise", scale=0.3)), 1),
    "neural_ot": (lambda: neural_ot.Objective(neural_ot.Options()), 1),
    "gan": (lambda: gan.Objective(gan.Options()), 1),
}
EVERY = pytest.mark.parametrize("rival", RIVALS)
FROM_MS = ("consistency, ms", "neural_ot", "gan")


@pytest.fixture(scope="module")
def batch():
    return batch_of(place(0, batch=4))


@EVERY
def test_a_step_takes_its_loss_down(rival, batch):
    torch.manual_seed(0)
    objective = RIVALS[rival][0]()
    players = objective.players(Denoiser(), 4)

    def first_loss():
        return next(objective.losses(players, batch, RNG.manual_seed(3), progress=0.5))[1]

    optimiser = torch.optim.SGD(players["net"].parameters(), 1e-2)
    before = first_loss()
    before.backward()
    optimiser.step()
    assert first_loss() < before


@EVERY
def test_samples_follow_the_seed(rival, batch):
    objective, network = RIVALS[rival][0](), Denoiser()
    with torch.no_grad():
        one, same, other = (objective.predict(network, batch, Noise(seed)) for seed in (1, 1, 2))
    assert one.shape == batch.ms_up.shape and one.dtype == torch.float32
    assert torch.equal(one, same)
    assert torch.equal(one, other) == (rival in FROM_MS)


@EVERY
def test_evaluations_are_counted(rival, batch):
    make, expected = RIVALS[rival]
    objective, network = make(), Counting(Denoiser())
    with torch.no_grad():
        objective.predict(network, batch)
    assert network.calls == objective.evaluations == expected
