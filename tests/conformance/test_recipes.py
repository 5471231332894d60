"""What every bundled recipe keeps to: its keys, its TOML, names and options that exist, a rate for all that learns."""

import tomllib

import pytest
import torch

from panflow import registry
from panflow.settings import as_toml
from panflow.training import recipe

RECIPES = registry.names("recipes")


@pytest.mark.parametrize("name", RECIPES)
def test_it_goes_to_toml_and_back(name):
    settings = recipe.load(name)
    assert recipe.typed(tomllib.loads(as_toml(settings.dump()))) == settings
    assert recipe.typed(settings.dump()) == settings


@pytest.mark.parametrize("name", RECIPES)
def test_it_is_built_at_full_size_and_all_that_learns_has_a_rate(name):
    settings = recipe.load(name)
    with torch.device("meta"):
        network = registry.get("networks", settings.network["name"]).Network(
            **{key: value for key, value in settings.network.items() if key != "name"}
        )
    options = dict(settings.objective)
    module = registry.get("objectives", options.pop("name"))
    objective = module.Objective(module.Options.of(**options))
    learning = [n for n, player in objective.players(network, 4).items() if next(player.parameters()).requires_grad]
    assert set(learning) <= set(settings.optimiser.rates) & set(settings.optimiser.clips)
