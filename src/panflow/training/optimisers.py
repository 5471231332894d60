"""Optimisers by name, and the rate of every step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from panflow.errors import InputError
from panflow.registry import closest
from panflow.training.recipe import Optimiser

NAMED: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "sgd": lambda parameters, rate, **options: torch.optim.SGD(parameters, rate, momentum=0.9, **options),
}


def optimisers(players: dict[str, nn.Module], options: Optimiser) -> dict[str, torch.optim.Optimizer]:
    """One for every player that has something to learn (a running average has not)."""
    make = NAMED[closest("optimiser", options.name, tuple(NAMED))]
    closest("schedule", options.schedule, tuple(SCHEDULES))
    by_player = {}
    for name, player in players.items():
        parameters = [p for p in player.parameters() if p.requires_grad]
        for setting, values in {"rates": options.rates, "clips": options.clips}.items():
            if parameters and name not in values:
                raise InputError(f"optimiser.{setting} has no {name!r}: the objective trains it")
        if parameters:
            by_player[name] = make(parameters, options.rates[name], weight_decay=options.decay, fused=True)
    return by_player


def _cosine(options: Optimiser, step: int, steps: int) -> float:
    done = (step - options.warmup) / max(1, steps - options.warmup)
    return options.floor + (1 - options.floor) * 0.5 * (1 + math.cos(math.pi * done))


def _stepped(options: Optimiser, step: int, steps: int) -> float:
    return options.factor ** (step // options.every if options.every else sum(step >= at for at in options.at))


SCHEDULES: dict[str, Callable[[Optimiser, int, int], float]] = {
    "cosine": _cosine,
    "step": _stepped,
    "constant": lambda options, step, steps: 1.0,
}


def share(options: Optimiser, step: int, steps: int) -> float:
    """Of the rate, at a step: linear warm-up, then the schedule."""
    if step < options.warmup:
        return (step + 1) / options.warmup
    return SCHEDULES[options.schedule](options, step, steps)


def clip(player: nn.Module, most: float) -> Any:
    """The norm of the gradients, which are shortened to `most` where that is not 0."""
    return nn.utils.clip_grad_norm_(player.parameters(), most or math.inf)
