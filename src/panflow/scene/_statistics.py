"""Indices of a scene from its tiles: what adds up, and how sure it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from panflow.indices._case import Additive, Case, Index
from panflow.indices._stats import Sums

DRAWS, CHUNK = 1000, 100  # of the bootstrap
CELLS = 8  # cells with data below which nothing is said of the certainty
LEVELS = (2.5, 97.5)  # percent

Parts = tuple[Sums, ...]


def merge(tiles: Iterable[Parts]) -> Parts:
    """The parts of a scene: every tile's cells, one after the other."""
    return tuple(Sums(*(np.concatenate(arrays) for arrays in zip(*parts))) for parts in zip(*tiles))


@dataclass(frozen=True)
class Statistic:
    """An index of a part of a scene; additive: whether its sums, merged, give the index of the whole."""

    index: Index
    parts: Parts
    additive: bool

    @classmethod
    def of(cls, index: Index, case: Case) -> Statistic:
        """Of a case's core; an index that does not add up is kept as one value, weighted by the valid pixels."""
        parts = index.parts(case) if isinstance(index, Additive) else None
        if parts is not None:
            return cls(index, parts, True)
        height, width = case.cropped(case.fused).shape[-2:]
        count = np.array([[height * width if case.valid is None else case.cropped(case.valid).sum()]], dtype=float)
        return cls(index, (Sums(np.where(count > 0, index(case) * count, 0.0), count),), False)

    @staticmethod
    def merged(tiles: Sequence[Statistic]) -> Statistic:
        return replace(tiles[0], parts=merge(tile.parts for tile in tiles))

    def value(self, facts: Case) -> float:
        """The index of all that was merged; facts: a case with sensor and ratio."""
        return float(self._value([part.mean for part in self.parts], facts)[0])

    def _value(self, means: Sequence[np.ndarray], facts: Case) -> np.ndarray:
        return self.index.value(means, facts) if self.additive else means[0]  # type: ignore[attr-defined]

    def interval(self, facts: Case) -> tuple[float, float] | None:
        """95 % of the values that the index has when the cells are drawn again with replacement (seeded).

        Cells are some hundred pixels wide, so that neighbours, which are alike, are drawn together. None where too
        few cells hold data.
        """
        if len({len(part.total) for part in self.parts}) > 1:
            return None
        full = np.all([part.weight.reshape(len(part.weight), -1).max(axis=1) > 0 for part in self.parts], axis=0)
        n = int(full.sum())
        if n < CELLS:
            return None
        rng = np.random.default_rng(0)
        draws = []
        for _ in range(DRAWS // CHUNK):
            times = rng.multinomial(n, np.full(n, 1 / n), size=CHUNK).astype(float)
            drawn = [Sums(*(np.tensordot(times, x[full][:, 0], 1)[None] for x in part)) for part in self.parts]
            draws.append(self._value([part.mean for part in drawn], facts))
        values = np.concatenate(draws)
        values = values[np.isfinite(values)]
        if not values.size:
            return None
        low, high = np.percentile(values, LEVELS)
        return float(low), float(high)
