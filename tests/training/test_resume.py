"""A run that was stopped ends with the same bits as one that was not."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from runs_of_seconds import OTFM, TINY
from safetensors.torch import load_file

from panflow.errors import InputError
from panflow.training.loop import Training, train

NAME = "regression-any-sensor"
KILLED = """
import os, signal, sys
from panflow.files import output
from panflow.training import loop
real, calls = output._synced, []
def synced(part):
    if "checkpoint.pt" in part.name:
        calls.append(part)
    if len(calls) == 3:  # the third checkpoint is written but not yet in place
        os.kill(os.getpid(), signal.SIGKILL)
    real(part)
output._synced = synced
loop.train(sys.argv[1], sys.argv[2], overrides=sys.argv[3:], device="cpu", progress=False)
"""


def run(folder: Path, overrides) -> tuple[dict, dict]:
    """The model file's tensors and the last checkpoint."""
    path = train(NAME, folder, overrides=overrides, device="cpu", progress=False)
    return load_file(path), torch.load(folder / "checkpoint.pt", weights_only=True)


def same(one, other) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


@pytest.mark.parametrize("overrides", [TINY, OTFM], ids=["regression", "otfm"])
def test_interrupted(tmp_path, monkeypatch, overrides):
    whole, end = run(tmp_path / "whole", overrides)
    step = Training.step

    def stopping(self, batch):
        if self.state.step == 3:
            raise KeyboardInterrupt
        return step(self, batch)

    often = (*overrides, "run.checkpoint = 0.0")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Training, "step", stopping)
        run(tmp_path / "halves", often)
    halves, resumed = run(tmp_path / "halves", often)
    assert same(end, resumed) and same(whole, halves)
    assert resumed["step"] == 6 and resumed["optimisers"]["net"]["state"]
    losses = (tmp_path / "halves/losses.csv").read_text().splitlines()
    assert [int(row.split(",")[0]) for row in losses[1:] if ",net," in row] == [1, 2, 3, 4, 5, 6]


def test_killed_while_it_writes(tmp_path):
    overrides = (*TINY, "run.checkpoint = 0.0")
    whole, _ = run(tmp_path / "whole", overrides)
    command = [sys.executable, "-c", KILLED, NAME, str(tmp_path / "killed"), *overrides]
    assert subprocess.run(command, env=os.environ, check=False).returncode == -signal.SIGKILL
    left = torch.load(tmp_path / "killed/checkpoint.pt", weights_only=True)
    assert left["step"] == 2 and len(list((tmp_path / "killed").glob(".checkpoint.pt.*.part"))) == 1
    assert not (tmp_path / "killed/model.safetensors").exists()
    assert same(run(tmp_path / "killed", overrides)[0], whole)
    assert not list((tmp_path / "killed").glob(".*.part"))  # what the killed run left is cleared away


def test_a_validation_that_failed_is_made_again(tmp_path, monkeypatch):
    overrides = (*TINY, "validation.every = 3")
    measure = Training.measure

    def failing(self, folder):
        if self.state.step == 3:
            raise OSError("no room")
        return measure(self, folder)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="no room"):
        patch.setattr(Training, "measure", failing)
        run(tmp_path, overrides)
    measured = []
    monkeypatch.setattr(Training, "measure", lambda self, to: measured.append(self.state.step) or measure(self, to))
    run(tmp_path, overrides)
    assert measured == [3, 6]


def test_threads_change_nothing(tmp_path):
    assert same(run(tmp_path / "alone", TINY), run(tmp_path / "ahead", (*TINY, "data.threads = 2")))


def test_a_run_that_is_done_stays_as_it_is(tmp_path):
    assert same(run(tmp_path, TINY), run(tmp_path, TINY))


def test_another_recipe_is_refused_in_the_folder(tmp_path):
    run(tmp_path, (*TINY, "run.steps = 1"))
    with pytest.raises(InputError, match="holds a run of another recipe"):
        run(tmp_path, (*TINY, "run.steps = 1", "optimiser.decay = 0.5"))
    run(tmp_path, (*TINY, "run.steps = 1", "run.log = 7"))  # what is only told may differ


def test_an_objective_has_its_numbers_back(tmp_path):
    _, end = run(tmp_path, OTFM)
    kept = end["others"]["objective"]
    energy = {key.rpartition(".")[2]: value for key, value in kept.items() if "energy" in key}
    assert kept["step"] == 6 and energy["count"] == 6 and energy["value"] > 0


def test_starts_from_the_weights_of_a_model(tmp_path):
    run(tmp_path / "first", TINY)
    start = f'run.start = "{tmp_path / "first/model.safetensors"}"'
    _, moved = run(tmp_path / "second", (*TINY, start, "run.steps = 1", "optimiser.rates = { net = 0.0 }"))
    _, there = run(tmp_path / "first", TINY)
    assert same(moved["average"], there["average"])
