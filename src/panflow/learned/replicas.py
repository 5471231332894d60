"""Replicas: one model on several devices, which share a scene's tiles."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any, Self

from panflow.learned.model import Model
from panflow.types import Array, Pair


class Replicas:
    """A model on every device of a list; a tile goes to the one that has the fewest. All that they have in common, the
    first tells."""

    def __init__(self, models: Sequence[Model]):
        self.models, self._busy, self._lock = tuple(models), [0] * len(models), threading.Lock()

    @classmethod
    def of(cls, model: Model, devices: Sequence[str]) -> Self:
        return cls([deepcopy(model).to(device) for device in devices])

    def on(self, runtime: str) -> Self:
        return type(self)([model.on(runtime) for model in self.models])

    def fit(self, scene: Iterable[Pair]) -> Self:
        first, *others = self.models
        fitted = first.fit(scene)
        return type(self)([fitted, *(other.fitted_as(fitted) for other in others)])

    def __call__(self, pair: Pair) -> Array:
        with self._lock:
            k = self._busy.index(min(self._busy))
            self._busy[k] += 1
        try:
            return self.models[k](pair)
        finally:
            with self._lock:
                self._busy[k] -= 1

    def __getattr__(self, name: str) -> Any:
        if name == "models":  # asked for by copies in the making
            raise AttributeError(name)
        return getattr(self.models[0], name)
