"""What every objective promises to the loop and to the model."""

import pytest
import torch
from batches import Denoiser, batch_of, place
from toys import Counting

from panflow import registry


@pytest.fixture(scope="module")
def batch():
    return batch_of(place(0))


def default(name: str):
    module = registry.get("objectives", name)
    return module.Objective(module.Options())


def train(name: str, batch, stop: int | None = None, steps: int = 6) -> dict[str, torch.Tensor]:
    """All players' weights after some steps; `stop`: the run ends there and a new one takes up its state."""

    def fresh():
        torch.manual_seed(0)
        objective = default(name)
        players = objective.players(Denoiser(), batch.pair.bands)
        return objective, players, {key: torch.optim.SGD(p.parameters(), 1e-2) for key, p in players.items()}

    objective, players, optimisers = fresh()
    for step in range(steps):
        if step == stop:
            kept = objective.state_dict(), {key: p.state_dict() for key, p in players.items()}
            objective, players, optimisers = fresh()
            objective.load_state_dict(kept[0])
            for key, state in kept[1].items():
                players[key].load_state_dict(state)
        for key, loss in objective.losses(players, batch, torch.Generator().manual_seed(step), progress=step / steps):
            optimisers[key].zero_grad()
            loss.backward()
            optimisers[key].step()
    return {f"{key}.{part}": value for key, p in players.items() for part, value in p.state_dict().items()}


@pytest.mark.parametrize("name", registry.names("objectives"))
def test_promises_of_every_objective(name, batch):
    objective, network = default(name), Denoiser()
    players = objective.players(network, 4)
    assert players["net"] is network
    for key, loss in objective.losses(players, batch, torch.Generator().manual_seed(0)):
        assert loss.ndim == 0 and loss.isfinite()
        loss.backward()
        assert any(p.grad is not None and p.grad.any() for p in players[key].parameters())
    assert objective.log and all(isinstance(value, float) for value in objective.log.values())
    counting = Counting(network)
    assert objective.predict(counting, batch).shape == batch.ms_up.shape
    assert objective.evaluations == counting.calls


@pytest.mark.parametrize("name", registry.names("objectives"))
def test_a_run_taken_up_again_ends_where_it_would_have(name, batch):
    whole, resumed = train(name, batch), train(name, batch, stop=3)
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
