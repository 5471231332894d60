"""Collections of ready pairs: tiles of one sensor and size, in the sensor's counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from panflow import registry, sensors
from panflow.errors import InputError
from panflow.types import YX, Array, Pair, Sensor


@dataclass(frozen=True)
class Collection:
    """A published set of tiles: the format's name and a path below the root.

    bands: those to take, in this order (0-based; none: all). part: "train", "val" or "test" of what the format
    splits, or "all"; split: a text file with the names of the part's tiles, one a line, in place of the seeded split.
    reduction: how pairs without a reference are reduced, "wald" (the sensor's MTF) or "unipan" (that paper's).
    licence, credit: of the set, kept in the model's file.
    """

    format: str
    path: str
    sensor: str
    bands: tuple[int, ...] = ()
    part: str = "all"
    split: str = ""
    reduction: str = "wald"
    licence: str = ""
    credit: str = ""


@dataclass(frozen=True)
class Tiles:
    """pan: N of [1, H, W]; ms: N of [C, h, w]; reference: N of [C, H, W], or None; ratio and phase as in a Pair."""

    pan: Sequence[Any]
    ms: Sequence[Any]
    reference: Sequence[Any] | None
    sensor: Sensor
    ratio: YX
    phase: YX
    bands: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.pan)

    def pair(self, members: Sequence[int]) -> Pair:
        """Some tiles as one pair, float32 tensors."""
        import torch

        def stack(images: Sequence[Any], chosen: Any) -> Array:
            return torch.from_numpy(np.stack([np.asarray(images[k], dtype=np.float32)[chosen] for k in members]))

        chosen = list(self.bands) or slice(None)
        ms = stack(self.ms, chosen)
        reference = None if self.reference is None else stack(self.reference, chosen)
        phase = (self.phase,) * ms.shape[1]
        return Pair(stack(self.pan, slice(None)), ms, self.ratio, phase, self.sensor, reference=reference)


def sensor_of(collection: Collection, count: int) -> Sensor:
    """The sensor of a set whose files have so many bands, with the bands that are taken."""
    sensor = sensors.fit_bands(sensors.load(collection.sensor), count)
    return sensors.select(sensor, collection.bands) if collection.bands else sensor


def load(collection: Collection, root: Path) -> Tiles:
    """The tiles of a collection. Raises UnknownName, MissingInput or InputError."""
    module = registry.get("data", collection.format)
    if not hasattr(module, "load"):
        raise InputError(f"{collection.format} is no format of collections: its file has no function load")
    return module.load(collection, root)
