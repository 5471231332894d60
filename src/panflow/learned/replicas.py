"""Replicas: one model on several devices, which share a scene's tiles."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any, Self

import torch

from panflow.learned.model import Model
from panflow.types import YX, Array, Pair, Sharpener


class Replicas(Sharpener):
    """A model on every device of a list; a tile goes to the one that has the fewest. What they have in common is read
    off the first."""

    uses_mtf = True

    def __init__(self, models: Sequence[Model]):
        self.models = tuple(models)
        self._busy = [0] * len(models)
        self._lock = threading.Lock()

    @classmethod
    def of(cls, model: Model, devices: Sequence[str]) -> Self:
        return cls([deepcopy(model).to(device) for device in devices])

    def on(self, backend: str) -> Self:
        return type(self)([model.on(backend) for model in self.models])

    def fit(self, scene: Iterable[Pair]) -> Self:
        first, *others = self.models
        fitted = first.fit(scene)
        return type(self)([fitted, *(other.with_state(fitted.state) for other in others)])

    @property
    def state(self) -> dict[str, Any]:
        return self.models[0].state

    def with_state(self, state: Mapping[str, Any]) -> Self:
        return type(self)([model.with_state(state) for model in self.models])

    def __call__(self, pair: Pair) -> Array:
        with self._lock:
            k = self._busy.index(min(self._busy))
            self._busy[k] += 1
        try:
            return self.models[k](pair)
        finally:
            with self._lock:
                self._busy[k] -= 1

    def halo(self, ratio: YX) -> int | None:
        return self.models[0].halo(ratio)

    def memory(self, bands: int, ratio: YX) -> float:
        return self.models[0].memory(bands, ratio)

    def cell(self, ratio: YX) -> int:
        return self.models[0].cell(ratio)

    @property
    def evaluations(self) -> int:
        return self.models[0].evaluations

    @property
    def costly(self) -> bool:
        return self.models[0].costly

    @property
    def depends_on_tiles(self) -> bool:
        return self.models[0].depends_on_tiles

    @property
    def device(self) -> torch.device | None:
        return self.models[0].device
