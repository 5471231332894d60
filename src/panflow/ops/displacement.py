"""How the MS bands of a scene are displaced against each other, as the band groups of a push-broom sensor are.

From material to material bands differ, and shadows lie on one side of what casts them: a single mix of bands for a
whole image would take that for an offset. In a square of a few pixels each band is nearly a linear mix of those
that resemble it most. So band by band, the most similar first, each is moved to where squares of it are explained
best by bands that are placed already. Groups are few: a band joins one, unless another place is clearly better.
All in NumPy.
"""

import numpy as np

from panflow.ops.kernels import Separable
from panflow.ops.resample import interpolate, lowpass
from panflow.types import YX

SIDE = 8  # MS pixels of a square
HELPERS = 2  # bands that explain another one
STEPS = 6
LEAST = 16  # squares that a scene must offer
CLEAR = 0.92  # what a new place must leave of the squares' unexplained energy, against the best group's
# interpolation between pixels dims noise near the Nyquist frequency, which would look like a better place: dim it first
SMOOTH = Separable((((0.25, 0.5, 0.25), (0.25, 0.5, 0.25)),))
SMALL = 0.25  # PAN pixels: less is not worth a correction


def displacements(windows: list[tuple[np.ndarray, np.ndarray]], ratio: YX) -> np.ndarray:
    """Offsets [C, 2] of the bands against one of them, in PAN pixels (rows, columns); 0 where none is sure.

    windows: structure of the bands [C, h, w], and the pixels of it that count [h, w].
    """
    count = len(windows[0][0])
    offsets = np.zeros((count, 2))
    squares = _Squares(windows, ratio)
    if squares.count < LEAST:
        return offsets
    still = [squares.at(band, offsets[band]) for band in range(count)]
    alike = np.array([[_similarity(helper, band) for band in still] for helper in still])
    first = int(alike.sum(axis=1).argmax())
    placed = {first: still[first]}
    groups = [np.zeros(2)]
    while len(placed) < count:
        waiting = [band for band in range(count) if band not in placed]
        band = max(waiting, key=lambda b: max(alike[p, b] for p in placed))
        helpers = sorted(placed, key=lambda p: -alike[p, band])[:HELPERS]
        basis = np.linalg.qr(np.stack([placed[p] for p in helpers], axis=-1))[0]
        offsets[band] = squares.place(band, basis, groups)
        placed[band] = squares.at(band, offsets[band])
    return offsets


class _Squares:
    """The bands of some windows, cut into squares at any offset."""

    def __init__(self, windows: list[tuple[np.ndarray, np.ndarray]], ratio: YX):
        self.ratio, self.windows = ratio, []
        for bands, seen in windows:
            rows, columns = (range(0, n - SIDE + 1, SIDE) for n in seen.shape)
            whole = [(r, c) for r in rows for c in columns if seen[r : r + SIDE, c : c + SIDE].all()]
            self.windows.append((lowpass(bands, SMOOTH), np.array(whole, dtype=int).reshape(-1, 2)))
        self.count = sum(len(corners) for _, corners in self.windows)

    def at(self, band: int, offset: np.ndarray) -> np.ndarray:
        """Squares [n, SIDE * SIDE] of a band that lies at an offset in PAN pixels, their means removed."""
        phase = tuple(o / r for o, r in zip(offset, self.ratio))
        parts = []
        for bands, corners in self.windows:
            image = interpolate(bands[None, None, band], (1.0, 1.0), phase, bands.shape[1:])[0, 0]
            rows, columns = (corners[:, k, None] + np.arange(SIDE) for k in (0, 1))
            parts.append(image[rows[:, :, None], columns[:, None, :]].reshape(-1, SIDE * SIDE))
        squares = np.concatenate(parts)
        return squares - squares.mean(axis=1, keepdims=True)

    def place(self, band: int, basis: np.ndarray, groups: list[np.ndarray]) -> np.ndarray:
        """The offset at which the basis [n, SIDE * SIDE, k] of every square explains a band best.

        That of a group where it does nearly as well; a clearly better one, on which both halves of the squares agree,
        is a new group.
        """

        def unexplained(squares: np.ndarray) -> np.ndarray:
            return squares - np.einsum("npk,nk->np", basis, np.einsum("npk,np->nk", basis, squares))

        energies = [(unexplained(self.at(band, group)) ** 2).sum(axis=1) for group in groups]
        weight = 1 / np.maximum(energies[0], max(float(np.median(energies[0])) / 10, 1e-12))  # no square rules
        left = [float(weight @ energy) for energy in energies]
        nearest = groups[int(np.argmin(left))]
        offset = nearest
        for _ in range(STEPS):
            # Gauss-Newton on sum_i w_i |r_i(offset)|^2: J^T W J move = -J^T W r, by all squares and by either half
            residual = unexplained(self.at(band, offset))
            slopes = [unexplained(self.at(band, offset + u) - self.at(band, offset - u)) for u in 0.5 * np.eye(2)]
            normal = np.array([[weight * (a * b).sum(axis=1) for b in slopes] for a in slopes])
            right = np.array([weight * (a * residual).sum(axis=1) for a in slopes])
            parts = slice(None), slice(0, None, 2), slice(1, None, 2)
            move, *halves = (
                -np.linalg.lstsq(normal[..., p].sum(axis=-1), right[..., p].sum(axis=-1), rcond=1e-6)[0] for p in parts
            )
            offset = offset + np.clip(move, -1, 1)
            if np.abs(move).max() < 0.01 or np.abs(offset - nearest).max() < SMALL / 2:
                break
        remaining = float(weight @ (unexplained(self.at(band, offset)) ** 2).sum(axis=1))
        small = np.abs(offset - nearest).max() < SMALL or np.abs(halves[0] - halves[1]).max() > SMALL
        if small or remaining > CLEAR * min(left):
            return nearest
        groups.append(offset)
        return offset


def _similarity(helper: np.ndarray, band: np.ndarray) -> float:
    """Share of the energy of a band's squares that a helper's explain, each by one factor."""
    along = (helper * band).sum(axis=1)
    energy = (helper * helper).sum(axis=1)
    return float((along**2 / np.maximum(energy, 1e-12)).sum() / max((band * band).sum(), 1e-12))
