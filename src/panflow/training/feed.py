"""Where batches come from: pairs drawn from sharp images, or ready ones. Both are functions of (seed, step)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from panflow.data import _augment, _full_scale, _tiles
from panflow.data._grounds import grounds
from panflow.data._tiles import Tiles
from panflow.errors import InputError
from panflow.training.recipe import Data, Recipe
from panflow.types import Pair

SURVEY = 64  # batches, or tiles of each collection, from which a transform learns
T = TypeVar("T")
R = TypeVar("R")


class Feed(Protocol):
    @property
    def bands(self) -> int:
        """The most that a pair has."""
        ...

    def draw(self, seed: int, step: int) -> Pair:
        """The batch of a step, with reference."""
        ...

    def detail(self, seed: int, step: int) -> str:
        """Whether its truth is as sharp as PAN, "pan", or as MS, "ms"."""
        ...

    def survey(self, seed: int) -> Iterator[Pair]:
        """Pairs that stand for the training set."""
        ...


class Simulated:
    """Tiles of sharp images, seen by sensors that are drawn at random."""

    def __init__(self, settings: Recipe):
        self.options, self.full_scale, self.data = settings.augment, settings.full_scale, settings.data
        self.bands = max(self.options.bands)
        self.places = grounds(self.data)
        if not self.places:
            raise InputError(
                "nothing to learn from: name data.sources, data.collections or data.synthetic in the recipe"
            )

    def detail(self, seed: int, step: int) -> str:
        return "pan" if _full_scale.chosen(self.full_scale, seed, step) else "ms"

    def draw(self, seed: int, step: int) -> Pair:
        data = self.data
        if _full_scale.chosen(self.full_scale, seed, step):
            options = self.options, self.full_scale
            return _full_scale.draw(self.places, *options, data.tile, data.folded, seed, step, data.batch)
        return _augment.draw(self.places, self.options, data.tile, data.folded, seed, step, data.batch)

    def survey(self, seed: int) -> Iterator[Pair]:
        return (self.draw(seed + 1, step) for step in range(SURVEY))


@dataclass(frozen=True)
class Collected:
    """Tiles of collections: every tile once in an epoch, in an order that is drawn anew; the rest of a batch is left
    out."""

    tiles: tuple[Tiles, ...]
    size: int

    @classmethod
    def of(cls, data: Data) -> Collected:
        members = tuple(_tiles.load(collection, Path(data.root)) for collection in data.collections)
        for collection, tiles in zip(data.collections, members):
            if tiles.reference is None:
                raise InputError(f"{collection.path} has no reference to learn from: take the part that has one")
            if len(tiles) < (data.batch or 1):
                raise InputError(f"{collection.path} has {len(tiles)} tiles: expected a batch of {data.batch}")
        bands = max(tiles.pair([0]).bands for tiles in members)
        return cls(members, data.batch or max(1, data.folded // bands))

    @property
    def bands(self) -> int:
        return max(tiles.pair([0]).bands for tiles in self.tiles)

    def detail(self, seed: int, step: int) -> str:
        return "ms"

    def draw(self, seed: int, step: int) -> Pair:
        steps = sum(len(tiles) // self.size for tiles in self.tiles)
        which, members = _epoch(tuple(map(len, self.tiles)), self.size, seed, step // steps)[step % steps]
        return self.tiles[which].pair(members)

    def survey(self, seed: int) -> Iterator[Pair]:
        for k, tiles in enumerate(self.tiles):
            order = np.random.default_rng((seed, k)).permutation(len(tiles))
            yield from (tiles.pair([int(member)]) for member in order[:SURVEY])


@lru_cache(2)
def _epoch(counts: tuple[int, ...], size: int, seed: int, epoch: int) -> list[tuple[int, list[int]]]:
    """The batches of an epoch: which collection, and its members."""
    rng = np.random.default_rng((seed, epoch, 2))
    batches = []
    for which, count in enumerate(counts):
        order = rng.permutation(count)[: count - count % size].reshape(-1, size)
        batches += [(which, members) for members in order.tolist()]
    return [batches[k] for k in rng.permutation(len(batches))]


def feed(settings: Recipe) -> Feed:
    """The feed of a recipe. Raises MissingInput where its data are absent."""
    return Collected.of(settings.data) if settings.data.collections else Simulated(settings)


def sources(data: Data) -> list[dict[str, Any]]:
    """Source, licence and credit of the data, for the model's file."""
    named: list[tuple[str, Any]] = [(collection.path, collection) for collection in data.collections]
    named = named or [(source.folder, source) for source in data.sources]
    rows = [{"source": name, "licence": each.licence, "credit": each.credit} for name, each in named]
    if data.synthetic and not data.collections:
        scenes = f"{data.synthetic} drawn scenes each of {', '.join(data.synthetic_sensors)}"
        rows.append({"source": scenes, "licence": "Apache-2.0", "credit": "panflow"})
    return rows


def ahead(work: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """work(item) in order; so many items are in work, each in a thread, while the last one is used."""
    if not threads:
        yield from map(work, items)
        return
    left = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        pending = deque(pool.submit(work, item) for item in islice(left, threads))
        while pending:
            done = pending.popleft().result()
            pending.extend(pool.submit(work, item) for item in islice(left, 1))
            yield done
