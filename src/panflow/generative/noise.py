"""Noise that hangs on the ground: a function of seed, step, band and place, so that tiles see what the whole sees."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from panflow.arrays import like as as_like
from panflow.types import Array

CELL = 64  # PAN pixels a side that one generator draws

Draw = Callable[[Array, int], Array]  # noise like an image [B, C, H, W], for the step that asks


@dataclass(frozen=True)
class Noise:
    """Standard normal noise of an image [B, C, H, W] whose first pixel is the scene's pixel `origin` (row, column).

    The scene is a lattice of cells, each with a generator seeded by (seed, step, row, column of the cell):
    the noise of a window is cut from it. Step 0 is where a sampler starts, k what it adds in its k-th step.
    """

    seed: int = 0
    origin: tuple[int, int] = (0, 0)

    def __call__(self, like: Array, step: int = 0) -> Array:
        batch, bands, *size = like.shape
        first = [start // CELL for start in self.origin]
        last = [(start + n - 1) // CELL for start, n in zip(self.origin, size)]

        def cell(row: int, column: int) -> np.ndarray:
            rng = np.random.default_rng((self.seed, step, row, column))
            return rng.standard_normal((batch, bands, CELL, CELL), dtype=np.float32)

        rows = range(first[0], last[0] + 1), range(first[1], last[1] + 1)
        lattice = np.block([[cell(row, column) for column in rows[1]] for row in rows[0]])
        top, left = (start - CELL * begin for start, begin in zip(self.origin, first))
        return as_like(lattice[..., top : top + size[0], left : left + size[1]], like)
