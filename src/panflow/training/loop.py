"""The training loop: players in turn, each stepped on the loss that the objective yields for it."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from panflow.data import _augment
from panflow.data._grounds import grounds
from panflow.errors import InputError
from panflow.model import Model, build, crop
from panflow.training import recipe as recipes
from panflow.training import validation
from panflow.training.log import Log
from panflow.training.recipe import Optimiser, Recipe
from panflow.training.state import State
from panflow.types import Batch

WEIGHTS = "model.safetensors"


def train(
    recipe: str | Path | Recipe,
    out: str | Path,
    *,
    overrides: Sequence[str] = (),
    device: str = "cpu",
    progress: bool = True,
) -> Path:
    """Runs a recipe (a bundled name, a file or a Recipe) into the folder `out`; returns the model's path.

    The folder gets recipe.json (resolved), losses.csv, validation.csv, pictures/, checkpoint.pt and
    model.safetensors. Called again it resumes; on a CPU it then ends bit-identical to a run that was never
    stopped. Raises UnknownName or InputError where the recipe does not hold, MissingInput where data are absent.
    """
    settings, folder = recipes.load(recipe, overrides), Path(out)
    _keep(settings, folder)
    torch.manual_seed(settings.run.seed)
    model = _fresh(settings).to(device)
    state = _state(model, settings)
    state.resume(folder)
    places, held = grounds(settings.data), validation.load(settings.validation)
    every, run = settings.validation.every, settings.run
    with Log(folder, run, state.step, progress) as log:
        saved = time.monotonic()
        while state.step < run.steps:
            log.losses(state.step + 1, _step(model, state, _batch(model, places, settings, state.step), settings))
            state.step += 1
            last = state.step == run.steps
            if last or time.monotonic() - saved > run.checkpoint:
                state.save(folder)
                saved = time.monotonic()
            if last or (every and state.step % every == 0):
                log.scores(state.step, _measure(model, state, held, folder))
    return folder / WEIGHTS


def _keep(settings: Recipe, folder: Path) -> None:
    """The resolved recipe in the folder; a folder that holds another one is refused."""
    text = json.dumps(settings.dump(), indent=1)
    path = folder / "recipe.json"
    folder.mkdir(parents=True, exist_ok=True)
    if path.is_file() and _steady(json.loads(path.read_text(encoding="utf-8"))) != _steady(json.loads(text)):
        raise InputError(f"{folder} holds a run of another recipe: choose a new folder, or give the same recipe")
    path.write_text(text, encoding="utf-8")


def _steady(values: dict[str, Any]) -> dict[str, Any]:
    """What two runs must share to end in the same weights: all but what is only told or measured."""
    run = {k: v for k, v in values["run"].items() if k not in ("checkpoint", "log", "tensorboard")}
    return {**values, "run": run, "title": "", "validation": None}


def _fresh(settings: Recipe) -> Model:
    recipe = {"network": settings.network, "transform": settings.transform, "objective": settings.objective}
    model = build(recipe, info={"title": settings.title})
    if settings.run.start:
        model.network.load_state_dict(Model.open(settings.run.start).network.state_dict())
    return model


def _state(model: Model, settings: Recipe) -> State:
    players = model.objective.players(model.network, max(settings.augment.bands))
    options = settings.optimiser
    for name, player in players.items():
        player.train().to(model.device, memory_format=torch.channels_last)
        for setting in ("rates", "clips"):
            if name not in getattr(options, setting):
                raise InputError(f"optimiser.{setting} has no {name!r}: the objective trains it")
    optimisers = {
        name: torch.optim.AdamW(player.parameters(), options.rates[name], weight_decay=options.decay, fused=True)
        for name, player in players.items()
    }
    average = {name: value.clone() for name, value in players["net"].state_dict().items()}
    if settings.run.bfloat16:
        net = players["net"]
        net.forward = torch.autocast(model.device.type, torch.bfloat16)(net.forward)
    return State(players, optimisers, average)


def _batch(model: Model, places: Sequence, settings: Recipe, step: int) -> Batch:
    """The batch of a step: statistics from whole tiles, of which one window is learned from."""
    data, seed = settings.data, settings.run.seed
    pair = _augment.draw(places, settings.augment, data.tile, data.folded, seed, step)
    with torch.no_grad():
        batch = model.fit([pair]).batch(pair)
    rng = np.random.default_rng((seed, step, 1))
    ratio, size = round(pair.ratio[0]), pair.size[0]
    side = min(size, data.patch - data.patch % ratio)
    top, left = (int(rng.integers((size - side) // ratio + 1)) * ratio for _ in range(2))
    return crop(batch, slice(top, top + side), slice(left, left + side))


def _step(model: Model, state: State, batch: Batch, settings: Recipe) -> dict[str, dict[str, Any]]:
    """One turn of every player; answers with what there is to tell of each."""
    rng = torch.Generator(model.device).manual_seed(settings.run.seed * 2**32 + state.step)
    told: dict[str, dict[str, Any]] = {}
    for name, loss in model.objective.losses(state.players, batch, rng, progress=state.step / settings.run.steps):
        player, optimiser = state.players[name], state.optimisers[name]
        rate = settings.optimiser.rates[name] * _schedule(settings.optimiser, state.step, settings.run.steps)
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(player.parameters(), settings.optimiser.clips[name])
        if torch.isfinite(norm):  # one bad batch must not end a run
            optimiser.step()
        told[name] = {"loss": loss.detach(), "norm": norm, "rate": rate}
    state.update_average(settings.run.ema)
    return told


def _schedule(options: Optimiser, step: int, steps: int) -> float:
    """Share of the rate: linear warm-up, then a cosine to the floor."""
    if step < options.warmup:
        return (step + 1) / options.warmup
    done = (step - options.warmup) / max(1, steps - options.warmup)
    return options.floor + (1 - options.floor) * 0.5 * (1 + math.cos(math.pi * done))


def _measure(model: Model, state: State, held: dict, folder: Path) -> dict[str, dict[str, float]]:
    """Scores of the averaged weights on the held pairs; the model file is written with them."""
    network = build(model.recipe).network
    network.load_state_dict(state.average)
    averaged = replace(model, network=network.to(model.device), objective=deepcopy(model.objective))
    found = validation.validate(averaged, held, folder / "pictures")
    averaged.save(folder / WEIGHTS, step=state.step, scores=found)
    return found
