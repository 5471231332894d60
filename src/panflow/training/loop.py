"""The training loop: players in turn, each stepped on the loss that the objective yields for it."""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from math import ceil, lcm
from pathlib import Path
from typing import Any

import numpy as np
import torch

from panflow.errors import InputError, PanflowError, is_out_of_memory
from panflow.files import output
from panflow.files.output import reason
from panflow.learned.blocks import crop, members
from panflow.learned.file import build, open_model, save
from panflow.learned.model import Model
from panflow.training import recipe as recipes
from panflow.training import validation
from panflow.training.devices import Devices
from panflow.training.feed import ahead, feed, sources
from panflow.training.log import Log
from panflow.training.optimisers import clip, optimisers, share
from panflow.training.recipe import Recipe
from panflow.training.state import State
from panflow.types import Batch

WEIGHTS = "model.safetensors"
RECIPE = "recipe.json"
BAD = 10  # batches in a row


def train(
    recipe: str | Path | Recipe,
    out: str | Path,
    *,
    data: str | Path | None = None,
    overrides: Sequence[str] = (),
    device: str = "auto",
    progress: bool = True,
) -> Path:
    """Runs a recipe (a bundled name, a file or a Recipe) into the folder `out`; returns the model's path. data: the
    folder of its images.

    The folder gets recipe.json (resolved), losses.csv, validation.csv, pictures/, checkpoint.pt and
    model.safetensors. Called again it resumes; on a CPU it then ends bit-identical to a run that was never
    stopped. Raises UnknownName or InputError where the recipe does not hold, MissingInput where data are absent.
    """
    settings = recipes.load(recipe, overrides, data)
    build(settings.sections())  # refuses what does not hold, before anything is written
    folder = output.folder(out)
    main = os.environ.get("RANK", "0") == "0"  # of several processes
    with output.claimed(folder) if main else nullcontext():
        training = Training(settings, device)
        if training.devices.rank == 0:
            keep(settings, folder)
        training.devices.wait()
        if not training.state.resume(folder):
            training.begin()
        training.run(folder, progress)
    return folder / WEIGHTS


def keep(settings: Recipe, folder: Path) -> None:
    """The resolved recipe in the folder; a folder that holds another one is refused."""
    path = folder / RECIPE
    text = json.dumps(settings.dump(), indent=1)
    if path.is_file():
        try:
            old = path.read_text(encoding="utf-8")
            same = old == text or _steady(recipes.typed(json.loads(old))) == _steady(settings)
        except (ValueError, PanflowError) as error:
            raise InputError(f"{path} is no recipe ({reason(error)}): delete it to go on with the one given") from None
        if not same:
            raise InputError(f"{folder} holds a run of another recipe: choose a new folder, or give the same recipe")
        if old == text:
            return
    output.write(path, text)


def _steady(settings: Recipe) -> dict[str, Any]:
    """What two runs must share to end in the same weights: all but what is only reported or measured."""
    values = settings.dump()
    run = {k: v for k, v in values["run"].items() if k not in ("checkpoint", "log", "tensorboard")}
    data = {k: v for k, v in values["data"].items() if k not in ("root", "threads")}
    for source in (*data["sources"], *data["collections"]):
        source |= {"licence": "", "credit": ""}
    reported = {"validation": None, "title": "", "licence": "", "back_projection": None}
    return values | reported | {"run": run, "data": data}


def _start(network: torch.nn.Module, other: torch.nn.Module) -> None:
    """The weights of another network, those of inputs that it had not set to zero."""
    state = network.state_dict()
    for name, value in other.state_dict().items():
        state[name].zero_()[tuple(slice(n) for n in value.shape)] = value
    network.load_state_dict(state)


class Training:
    """A run in memory: its data, its model, where it stands."""

    def __init__(self, settings: Recipe, device: str = "cpu"):
        self.settings = settings
        self.parts = 1  # of a batch, done one after the other
        self.bad: dict[str, int] = {}  # of every player, batches in a row that were of no use
        torch.manual_seed(settings.run.seed)
        model = build(settings.sections())
        if settings.run.start:
            _start(model.network, open_model(settings.run.start).network)
        self.feed = feed(settings)
        self.held = validation.load(settings.validation, settings.data.root)
        self.devices = Devices(device)
        self.model = model.to(self.devices.device)
        network, objective = self.model.network, self.model.objective
        players = objective.players(network, self.feed.bands)
        for player in players.values():
            player.train().to(self.model.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        average = {name: value.clone() for name, value in network.state_dict().items()}
        others: dict[str, Any] = {"objective": objective, "transform": self.model.transform}
        self.state = State(players, optimisers(players, settings.optimiser), average, others)
        if settings.run.bfloat16:
            network.forward = torch.autocast(str(self.model.device).partition(":")[0], torch.bfloat16)(network.forward)

    def begin(self) -> None:
        """What is learned before the first step: the transform's tables."""
        self.model.transform.learn(self.feed.survey(self.settings.run.seed))

    def run(self, folder: Path, progress: bool) -> None:
        """The steps that are left. The checkpoint comes before the validation, which is repeated where a run is
        taken up at its step, as it may not have been finished; the model file is written with every validation."""
        state, run = self.state, self.settings.run
        main = self.devices.rank == 0
        with Log(folder, run, state.step, progress and main, main) as log:
            saved = time.monotonic()
            if main and self.due:
                log.scores(state.step, self.measure(folder))
            for batch in ahead(self.batch, range(state.step, run.steps), self.settings.data.threads):
                losses = self.step(batch)
                state.step += 1
                log.step(state.step, losses, self.model.objective)
                if main and (self.due or time.monotonic() - saved > run.checkpoint):
                    state.save(folder)
                    saved = time.monotonic()
                if main and self.due:
                    log.scores(state.step, self.measure(folder))
        self.devices.wait()

    @property
    def due(self) -> bool:
        """Whether there is to be a validation at this step."""
        step, every = self.state.step, self.settings.validation.every
        return step == self.settings.run.steps or bool(step and every and step % every == 0)

    def _moment(self, step: int) -> int:
        """Another number for every step of every process."""
        return step * self.devices.count + self.devices.rank

    def batch(self, step: int) -> Batch:
        """The batch of a step: statistics from whole tiles, of which one window is learned from."""
        data = self.settings.data
        seed = self.settings.run.seed
        moment = self._moment(step)
        pair = self.feed.draw(seed, moment)
        model = replace(self.model, detail=self.feed.detail(seed, moment))
        with torch.no_grad():
            batch = model.fit([pair]).batch(pair)
        rng = np.random.default_rng((seed, moment, 1))
        windows = []
        for ratio, size in zip(pair.ratio, pair.size):
            if size <= data.patch:
                windows.append(slice(0, size))
                continue
            ratio = round(ratio)
            cell = lcm(ratio, self.model.network.multiple)
            side = data.patch - data.patch % cell
            start = int(rng.integers((size - side) // ratio + 1)) * ratio
            windows.append(slice(start, start + side))
        return crop(batch, *windows)

    def step(self, batch: Batch) -> dict[str, dict[str, Any]]:
        """One turn of every player; its loss, gradient norm and rate. What memory does not suffice for is done in
        halves of the batch, whose gradients are added, from then on."""
        while True:
            try:
                return self._turns(batch)
            except Exception as error:
                if 2 * self.parts > len(batch.ms_up) or not is_out_of_memory(error):
                    raise
            self.parts *= 2
            warnings.warn(f"memory does not suffice for a batch: it is done in {self.parts} parts", stacklevel=2)
            if self.devices.device.startswith("cuda"):
                torch.cuda.empty_cache()

    def _turns(self, batch: Batch) -> dict[str, dict[str, Any]]:
        options, run, state = self.settings.optimiser, self.settings.run, self.state
        losses: dict[str, dict[str, Any]] = {}
        for name, loss in self._losses(batch):
            player, optimiser = state.players[name], state.optimisers[name]
            rate = options.rates[name] * share(options, state.step, run.steps)
            for group in optimiser.param_groups:
                group["lr"] = rate
            self.devices.average(player)
            norm = clip(player, options.clips[name])
            self._keep_count(name, bool(torch.isfinite(norm) and torch.isfinite(loss)))
            if self.bad.get(name, 0) == 0:  # one bad batch must not end a run
                optimiser.step()
            losses[name] = {"loss": loss, "norm": norm, "rate": rate}
        self.devices.same(self.model.objective.state_dict().values())
        state.update_average(run.ema)
        return losses

    def _losses(self, batch: Batch) -> Iterator[tuple[str, torch.Tensor]]:
        """Every player in turn, with its gradients, and its loss."""
        run, state, count = self.settings.run, self.state, len(batch.ms_up)
        seed = run.seed * 2**32 + self._moment(state.step)
        rng = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)  # of layers that draw, such as dropout
        size = ceil(count / self.parts)
        parts = [members(batch, slice(k, k + size)) for k in range(0, count, size)] if size < count else [batch]
        objective, done = self.model.objective, state.step / run.steps
        turns = [objective.losses(state.players, part, rng, progress=done) for part in parts]
        while True:
            total: torch.Tensor | None = None
            for part, turn in zip(parts, turns):
                now = next(turn, None)
                if now is None:
                    return
                name, loss = now
                if total is None:
                    state.optimisers[name].zero_grad(set_to_none=True)
                loss = loss * (len(part.ms_up) / count)
                loss.backward()
                total = loss.detach() if total is None else total + loss.detach()
            assert total is not None
            yield name, total

    def _keep_count(self, player: str, good: bool) -> None:
        """InputError after so many batches in a row whose loss or gradient is not finite."""
        self.bad[player] = 0 if good else self.bad.get(player, 0) + 1
        if self.bad[player] >= min(BAD, self.settings.run.steps):
            raise InputError(
                f"the loss of {player} or its gradient is not finite in {self.bad[player]} batches in a row, to step "
                f"{self.state.step + 1}: is there nan in the data, or are optimiser.rates or clips too high?"
            )

    def averaged(self) -> Model:
        """The model of the averaged weights, as it is now."""
        network = build(self.model.recipe).network
        network.load_state_dict(self.state.average)
        return replace(self.model, network=network.to(self.model.device))

    def measure(self, folder: Path) -> dict[str, dict[str, float]]:
        """Scores of the averaged weights on the held pairs; the model file is written with them."""
        model = self.averaged()
        scores = validation.validate(model, self.held, folder / "pictures")
        save(
            model,
            folder / WEIGHTS,
            step=self.state.step,
            scores=scores,
            training=recipes.portable(self.settings),
            title=self.settings.title,
            licence=self.settings.licence,
            data=sources(self.settings.data),
        )
        return scores
