"""Offsets that vary over a scene without a formula: at nodes of a lattice, smooth, from the normal equations of cells.

Near where MS is taken to lie, what the bands leave unexplained of PAN in a small neighbourhood is a quadratic function
of a further offset, as in a Gauss-Newton step of `ops.register`. So the nodes of the lattice, between which offsets are
linear, are the least squares of all neighbourhoods and of a thin plate's bending energy, which a factor weighs: the one
that predicts neighbourhoods best which the nodes were not fitted to. Two lattices are tried, one of rows alone, since a
camera that shakes displaces whole rows, and one of both axes. All in NumPy and SciPy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from panflow.types import YX

CELL = 4, 16  # MS pixels (rows, columns) over which products are summed
WIDE = 128  # MS pixels of a row that are looked at together
LEAST = 0.4  # of a neighbourhood's pixels that must be valid
SPACING = 8  # MS pixels between nodes in both axes, CELL[0] in rows alone, unless these were more than
NODES, ROW_NODES = 33, 513
FEWEST = 12  # neighbourhoods
FOLDS = 5
FACTORS = 10.0 ** np.arange(-3, 6)
STEPS = 4
STRAY = 3.0  # times the usual distance from the nodes' offsets beyond which a neighbourhood counts less

Offsets = Callable[[np.ndarray, np.ndarray], np.ndarray]  # of rows and columns of PAN [2, rows, columns], PAN pixels


@dataclass(frozen=True)
class Cells:
    """products [n, K, K], summed over cells of MS pixels: of C bands, 1, PAN's derivatives along rows and columns and
    PAN, where MS is taken to lie; places [n, 2]: the cells' middles on PAN's grid."""

    products: np.ndarray
    places: np.ndarray

    @classmethod
    def of(cls, images: np.ndarray, seen: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> Cells:
        """Of images [K - 1, h, w], bands first, whose pixels lie at rows and columns of PAN, where they are seen."""
        bands, rest = images[:-3], images[-3:]
        stack = np.concatenate([bands, np.ones((1, *seen.shape)), rest]) * seen
        counts = [-(-n // c) for n, c in zip(seen.shape, CELL)]
        stack = np.pad(stack, [(0, 0), *((0, n * c - s) for n, c, s in zip(counts, CELL, seen.shape))])
        stack = stack.reshape(len(stack), counts[0], CELL[0], counts[1], CELL[1]).transpose(1, 3, 0, 2, 4)
        stack = stack.reshape(-1, stack.shape[2], CELL[0] * CELL[1])
        middles = (np.array([part.mean() for part in np.array_split(x, range(c, len(x), c))])
                   for x, c in zip((rows, columns), CELL))  # fmt: skip
        places = np.stack(np.meshgrid(*middles, indexing="ij"), axis=-1).reshape(-1, 2)
        products = stack @ stack.swapaxes(1, 2)
        some = products[:, len(bands), len(bands)] > 0
        return cls(products[some], places[some])

    @classmethod
    def joined(cls, parts: list[Cells]) -> Cells:
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("products", "places")))

    def equations(self, side: YX) -> Equations:
        """Of neighbourhoods of so many PAN pixels (rows, columns)."""
        keys = np.floor(self.places / side).astype(int)
        kinds, index = np.unique(keys, axis=0, return_inverse=True)
        index = index.reshape(-1)
        products = np.zeros((len(kinds), *self.products.shape[1:]))
        np.add.at(products, index, self.products)
        one = products.shape[1] - 4
        count = products[:, one, one]
        places = np.stack([np.bincount(index, self.products[:, one, one] * axis) / count for axis in self.places.T], 1)
        enough = count >= LEAST * np.median(count)
        products, places, count, keys = products[enough], places[enough], count[enough], kinds[enough]

        # what the bands leave of PAN and its derivatives: the Schur complement of their block
        scale = np.sqrt(np.maximum(np.diagonal(products, axis1=1, axis2=2), 1e-300))
        products = products / scale[:, :, None] / scale[:, None, :]
        mix = products[:, : one + 1, : one + 1] + 1e-6 * np.eye(one + 1)
        cross = products[:, : one + 1, one + 1 :]
        left = products[:, one + 1 :, one + 1 :] - cross.swapaxes(1, 2) @ np.linalg.solve(mix, cross)
        left = left * scale[:, one + 1 :, None] * scale[:, None, one + 1 :]
        total = scale[:, -1] ** 2
        return Equations(keys, places, left[:, :2, :2], left[:, :2, 2], left[:, 2, 2], count - one - 3, total)


@dataclass(frozen=True)
class Equations:
    """What is unexplained of PAN in neighbourhood k, where MS lies by d farther, is energy + 2 slope d + d bend d; keys
    [n, 2]: its row and column among all; freedom [n]: its degrees of freedom; total [n]: PAN's own energy."""

    keys: np.ndarray
    places: np.ndarray
    bend: np.ndarray
    slope: np.ndarray
    energy: np.ndarray
    freedom: np.ndarray
    total: np.ndarray

    @cached_property
    def best(self) -> np.ndarray:
        """The offset [n, 2] of each by itself."""
        ridge = 1e-6 * np.trace(self.bend, axis1=1, axis2=2)[:, None, None] * np.eye(2) + 1e-12 * np.eye(2)
        return -np.linalg.solve(self.bend + ridge, self.slope[..., None])[..., 0]

    @cached_property
    def gain(self) -> np.ndarray:
        """By how much less [n] the best offset leaves."""
        return np.maximum(-(self.slope * self.best).sum(axis=1), 0)

    @cached_property
    def unit(self) -> np.ndarray:
        """The variance [n] that the best offset leaves."""
        left = np.maximum(self.energy - self.gain, 0) / np.maximum(self.freedom, 1)
        return np.maximum(left, max(0.1 * float(np.median(left)), 1e-300))

    @property
    def clearness(self) -> np.ndarray:
        """How surely [n], 0 to 1, both axes of an offset are seen."""
        least = np.linalg.eigvalsh(self.bend)[:, 0] / self.unit
        return np.clip(least / max(float(np.median(least)), 1e-300), 0, 1)

    @property
    def agreement(self) -> np.ndarray:
        """Weights [n]: less than 1 where a neighbourhood would gain much more than others do."""
        distance = np.sqrt(self.gain / self.unit)
        return 1 / np.maximum(1, distance / max(STRAY * float(np.median(distance)), 1e-12))

    def at(self, d: np.ndarray) -> np.ndarray:
        """Energy [n] at offsets [n, 2]."""
        return self.energy + 2 * (self.slope * d).sum(axis=1) + np.einsum("ni,nij,nj->n", d, self.bend, d)


@dataclass(frozen=True)
class Lattice:
    """Nodes over a scene's PAN of a size; side: PAN pixels of neighbourhoods."""

    nodes: tuple[int, int]
    size: tuple[int, int]
    side: YX

    def weights(self, axis: int, positions: np.ndarray) -> np.ndarray:
        """Of the nodes of an axis [positions, count], for linear interpolation."""
        last = self.nodes[axis] - 1
        at = np.clip(positions / max(self.size[axis] - 1, 1), 0, 1) * last
        return np.clip(1 - np.abs(at[:, None] - np.arange(last + 1)), 0, None)

    def offsets(self, nodes: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return self.weights(0, rows) @ nodes.reshape(2, *self.nodes) @ self.weights(1, columns).T

    def fold(self, keys: np.ndarray) -> np.ndarray:
        """Of every neighbourhood; none has a neighbour's."""
        return (keys[:, 0] + 2 * keys[:, 1]) % FOLDS if self.nodes[1] > 1 else keys[:, 0] % FOLDS

    @cached_property
    def bending(self) -> Any:
        """Of nodes [n m], a sparse matrix [n m, n m]."""
        from scipy import sparse  # takes long to import, and few scenes need it

        def differences(count: int, order: int) -> Any:
            rows = np.diff(np.eye(count), order, axis=0) if count > order else np.zeros((0, count))
            return sparse.csr_array(rows)

        n, m = self.nodes
        parts = [
            sparse.kron(differences(n, 2), sparse.eye_array(m)),
            sparse.kron(sparse.eye_array(n), differences(m, 2)),
            np.sqrt(2) * sparse.kron(differences(n, 1), differences(m, 1)),
        ]
        stacked = sparse.vstack([part for part in parts if part.shape[0]]).tocsr()
        return (stacked.T @ stacked + 1e-6 * sparse.eye_array(n * m)).tocsc()

    def solved(self, equations: Equations, current: np.ndarray, weights: np.ndarray, factors: np.ndarray) -> list:
        """Nodes [2 n m] for each factor of the bending energy; current [n, 2]: offsets where equations were made."""
        from scipy import sparse
        from scipy.sparse.linalg import splu

        rows, columns = (self.weights(axis, equations.places[:, axis]) for axis in (0, 1))
        basis = sparse.csr_array((rows[:, :, None] * columns[:, None, :]).reshape(len(rows), -1))
        bend = equations.bend * weights[:, None, None]
        slope = equations.slope * weights[:, None] - np.einsum("nij,nj->ni", bend, current)
        blocks = [[basis.T @ sparse.diags_array(bend[:, i, j]) @ basis for j in (0, 1)] for i in (0, 1)]
        normal = sparse.block_array(blocks, format="csc")
        right = -np.concatenate([basis.T @ slope[:, i] for i in (0, 1)])
        unit = float(normal.trace()) / normal.shape[0]
        bending = sparse.block_diag([self.bending] * 2, format="csc")
        return [splu((normal + factor * unit * bending).tocsc()).solve(right) for factor in factors]

    def sampled(self, nodes: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Offsets [n, 2] at places [n, 2]."""
        rows, columns = (self.weights(axis, places[:, axis]) for axis in (0, 1))
        return np.einsum("ni,kij,nj->nk", rows, nodes.reshape(2, *self.nodes), columns)


@dataclass(frozen=True)
class Gridded:
    """offsets: what was started from and the lattice's together; left: share of what the start leaves unexplained that
    they leave in neighbourhoods held out; equations: around them."""

    offsets: Offsets
    left: float
    equations: Equations


def lattices(size: tuple[int, int], ratio: YX) -> dict[str, Lattice]:
    """Those that are tried, by name."""
    n, m = (int(np.clip(s / r / SPACING + 1, 2, NODES)) for s, r in zip(size, ratio))
    fine = int(np.clip(size[0] / ratio[0] / CELL[0] + 1, 2, ROW_NODES))
    square, strip = (CELL[1] * ratio[0], CELL[1] * ratio[1]), (CELL[0] * ratio[0], WIDE * ratio[1])
    return {"rows": Lattice((fine, 1), size, strip), "grid": Lattice((n, m), size, square)}


def gridded(cells: Callable[[Offsets], Cells], start: Offsets, lattice: Lattice) -> Gridded | None:
    """Offsets at a lattice's nodes, beyond those of a start; cells: of all windows where MS lies by offsets. None where
    there are too few neighbourhoods."""
    nodes = np.zeros(2 * lattice.nodes[0] * lattice.nodes[1])
    at_start: dict[tuple, float] = {}
    factors, left = FACTORS, 1.0
    for step in range(STEPS):
        equations = cells(_added(start, lattice, nodes)).equations(lattice.side)
        if len(equations.places) < FEWEST:
            return None
        current = lattice.sampled(nodes, equations.places)
        at_start = at_start or dict(zip(map(tuple, equations.keys), equations.energy))
        weights = (equations.agreement if step else 1.0) / equations.unit
        fold, energy = lattice.fold(equations.keys), np.zeros((len(factors), len(weights)))
        for out in (fold == k for k in range(FOLDS)):
            for index, there in enumerate(lattice.solved(equations, current, weights * ~out, factors)):
                energy[index, out] = equations.at(lattice.sampled(there, equations.places) - current)[out]
        best = int(np.argmin(energy @ weights))
        before = np.array([at_start.get(tuple(key), 0.0) for key in equations.keys])
        left = float(energy[best] @ weights / max(before @ weights, 1e-300))
        (nodes,) = lattice.solved(equations, current, weights, factors[best : best + 1])
        factors = factors[max(best - 1, 0) : best + 2]
    offsets = _added(start, lattice, nodes)
    return Gridded(offsets, left, cells(offsets).equations(lattice.side))


def _added(start: Offsets, lattice: Lattice, nodes: np.ndarray) -> Offsets:
    return lambda rows, columns: start(rows, columns) + lattice.offsets(nodes, rows, columns)
