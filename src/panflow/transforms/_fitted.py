"""What the transforms share that look at pixels first: valid pixels, ways of fitting, tables in the state dict."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any, Protocol, Self

import numpy as np

from panflow import types
from panflow.arrays import like, namespace, to_numpy
from panflow.errors import InputError
from panflow.ops.moments import ms_core, pan_core
from panflow.registry import closest
from panflow.types import Array, Pair, Sensor

MODES = ("scene", "train", "sensor")
ALL = "all"  # the key of the table that serves every sensor


class Gatherer(Protocol):
    """Takes pixels piece by piece and answers with statistics of all of them."""

    def add(self, values: np.ndarray) -> None:
        """values [K, n], every column one pixel."""
        ...

    def result(self) -> np.ndarray:
        """Statistics [K, S] in float64."""
        ...


def pixels(pair: Pair, kind: str) -> list[np.ndarray]:
    """The valid and finite pixels of a pair's core, [K, n] for each member of the batch; kind: "ms" or "pan"."""
    image, valid, core = {
        "ms": (pair.ms, pair.ms_valid, ms_core(pair)),
        "pan": (pair.pan, pair.pan_valid, pan_core(pair)),
    }[kind]
    values = to_numpy(image)[(..., *core)]
    keep = np.isfinite(values).all(axis=1)
    if valid is not None:
        keep &= to_numpy(valid)[(..., *core)][:, 0]
    return [member[:, mask] for member, mask in zip(values, keep)]


class Fitted(types.Transform):
    """A transform that rests on statistics of MS and PAN: tables `ms` [B or 1, C, S], `pan` [B or 1, 1, S] and
    `unit` [B or 1, C or 1, 1], named "ms_all" or, one set for each sensor, "ms_worldview2".

    fit: "scene" (every scene by its pixels), "train" (by those of the training set) or "sensor" (by those of the
    training set that came from the same sensor).
    """

    def __init__(self, fit: str = "scene"):
        self.mode = closest("way to fit", fit, MODES)
        self.key = ALL
        self.kept: dict[str, np.ndarray] = {}

    def gatherer(self) -> Gatherer:
        """An empty gatherer of this transform's statistics."""
        raise NotImplementedError

    def unit_of(self, ms: np.ndarray, sensor: Sensor) -> np.ndarray:
        """Counts per unit of the network's answer, [C or 1], from the statistics of MS [C, S]."""
        raise NotImplementedError

    def table(self, kind: str) -> np.ndarray:
        """The table in use."""
        if (table := self.kept.get(f"{kind}_{self.key}")) is None:
            raise InputError("the transform has seen no pixels yet: fit it to a scene first")
        return table

    def unit(self) -> np.ndarray:
        """Counts per unit of the network's residual answer, [B or 1, C or 1, 1, 1], float32."""
        return self.table("unit")[..., None].astype(np.float32)

    def learn(self, pairs: Iterable[Pair]) -> Self:
        """Takes the tables of the modes "train" and "sensor" from a training set, in place; members are pooled."""
        if self.mode != "scene":
            for sensor, tables in self._gather(pairs, by_sensor=self.mode == "sensor", pooled=True).items():
                self._keep(sensor, tables)
        return self

    def fit(self, scene: Iterable[Pair]) -> Self:
        """A copy with the tables for one scene, which comes as pairs whose cores tile it."""
        fitted = deepcopy(self)
        if self.mode == "scene":
            fitted._keep(ALL, self._gather(scene, by_sensor=False, pooled=False)[ALL])
        elif self.mode == "sensor":
            fitted.key = next(iter(scene)).sensor.name
        if f"ms_{fitted.key}" not in fitted.kept:
            raise InputError(
                f"the model has no table of values for {self._wanted(fitted.key)}: train it on such images, or let "
                'every scene serve itself (transform option fit = "scene")'
            )
        return fitted

    @property
    def tables(self) -> dict[str, np.ndarray]:
        return {kind: self.table(kind) for kind in ("ms", "pan", "unit")}

    def with_tables(self, tables: Mapping[str, Array]) -> Self:
        fitted = deepcopy(self)
        fitted.key = ALL
        fitted._keep(ALL, tables)
        return fitted

    def _wanted(self, key: str) -> str:
        sensors = sorted(name.removeprefix("ms_") for name in self.kept if name.startswith("ms_"))
        return "any sensor" if key == ALL else f"the sensor {key!r} (it has {', '.join(sensors) or 'none'})"

    def _gather(self, pairs: Iterable[Pair], by_sensor: bool, pooled: bool) -> dict[str, dict[str, np.ndarray]]:
        """Tables by sensor's name (or ALL), in one pass."""
        gatherers: dict[str, dict[tuple[str, int], Gatherer]] = defaultdict(dict)
        sensors: dict[str, Sensor] = {}
        empty: set[tuple[str, int]] = set()
        for pair in pairs:
            key = pair.sensor.name if by_sensor else ALL
            sensors.setdefault(key, pair.sensor)
            for kind in ("ms", "pan"):
                for member, values in enumerate(pixels(pair, kind)):
                    where = (kind, 0 if pooled else member)
                    if values.size:
                        gatherers[key].setdefault(where, self.gatherer()).add(values)
                    else:
                        empty.add(where)
        if not sensors or any(empty - set(gatherers[key]) for key in sensors):
            raise InputError("nothing to fit the transform to: expected at least one valid pixel of MS and of PAN")
        return {key: self._tables(parts, sensors[key]) for key, parts in gatherers.items()}

    def _tables(self, parts: dict[tuple[str, int], Gatherer], sensor: Sensor) -> dict[str, np.ndarray]:
        tables = {
            name: np.stack([part.result() for (kind, _), part in sorted(parts.items()) if kind == name])
            for name in ("ms", "pan")
        }
        units = [np.asarray(self.unit_of(ms, sensor), dtype=np.float64) for ms in tables["ms"]]
        return tables | {"unit": np.stack([np.where(unit > 0, unit, 1.0)[:, None] for unit in units])}

    def _keep(self, key: str, tables: Mapping[str, Array]) -> None:
        self.kept |= {f"{kind}_{key}": to_numpy(values) for kind, values in tables.items()}

    def state_dict(self) -> dict[str, np.ndarray]:
        return dict(self.kept)

    def load_state_dict(self, tables: Mapping[str, Array]) -> None:
        """Takes the tables that a file has, whatever their number and size."""
        for name, values in tables.items():
            kind, _, key = name.partition("_")
            if kind not in ("ms", "pan", "unit") or not key or values.ndim != 3:
                raise ValueError(f"{name} {tuple(values.shape)}: expected tables ms, pan and unit of three axes")
        self.kept = {name: to_numpy(values) for name, values in tables.items()}


def stack(parts: Sequence[Fitted]) -> Fitted:
    """One transform for a batch whose members come from scenes that were fitted apart."""
    joined = deepcopy(parts[0])
    joined.kept = {name: np.concatenate([part.kept[name] for part in parts]) for name in joined.kept}
    return joined


def floating(image: Array) -> Any:
    """The type of an image that is mapped: its own where that is floating, else float32."""
    xp = namespace(image)
    return image.dtype if xp.isdtype(image.dtype, "real floating") else xp.float32


def spread(values: np.ndarray, image: Array) -> Array:
    """One column of a table, [B or 1, K], for an image [B, K, H, W]: [B or 1, K, 1, 1] in its type."""
    return like(values[..., None, None], image, floating(image))
