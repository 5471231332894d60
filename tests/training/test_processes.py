"""Training in two processes."""

import os
import subprocess
import sys

import pytest
import torch
from runs_of_seconds import OTFM

pytest.importorskip("accelerate")
SCRIPT = """
import os, sys, torch
from panflow.training import recipe
from panflow.training.loop import Training
training = Training(recipe.load("regression-any-sensor", sys.argv[2:]), "cpu")
for step in range(3):
    training.step(training.batch(step))
    training.state.step += 1
state = {name: player.state_dict() for name, player in training.state.players.items()}
energy = training.model.objective.state_dict()["flow.energy.value"]
torch.save((training.batch(0).ms_up, state, energy), f"{sys.argv[1]}/{os.environ['RANK']}.pt")
"""


@pytest.mark.slow
def test_processes_learn_from_batches_of_their_own_and_stay_alike(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    start = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29611"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([*start, str(tmp_path / "script.py"), str(tmp_path), *OTFM], check=True, env=environment)
    (batch, state, energy), (other_batch, other, other_energy) = (torch.load(tmp_path / f"{k}.pt") for k in range(2))
    assert batch.shape != other_batch.shape or not torch.equal(batch, other_batch)
    for player in state:
        assert all(torch.equal(state[player][key], other[player][key]) for key in state[player])
    assert torch.equal(energy, other_energy)
