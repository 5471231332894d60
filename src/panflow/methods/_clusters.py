"""Spectra of a scene, sampled without chance, and their k-means clusters."""

import numpy as np

from panflow.arrays import to_numpy
from panflow.ops.moments import ms_core
from panflow.ops.resample import ms_aligned
from panflow.types import Pair

SAMPLE = 16384  # distinct spectra that stand for a scene


class Spectra:
    """For each batch member the spectra [n, C] with the smallest hashes, and these: the same for any tiles."""

    def __init__(self) -> None:
        self.samples: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, pair: Pair) -> None:
        core = (..., *ms_core(pair))
        raw, aligned = to_numpy(pair.ms[core]), to_numpy(ms_aligned(pair)[core])
        valid = np.ones_like(raw[:, :1], dtype=bool) if pair.ms_valid is None else to_numpy(pair.ms_valid[core])
        members = [_pixels(*images) for images in zip(raw, aligned, valid)]
        if self.samples:
            joined = zip(self.samples, members)
            members = [(np.append(k, key), np.concatenate([x, y])) for (k, x), (key, y) in joined]
        self.samples = [_smallest(*member) for member in members]


def _pixels(raw: np.ndarray, aligned: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    key = np.zeros(int(valid.sum()), dtype=np.uint64)
    for band in raw:
        key = (key ^ band[valid[0]].astype(np.float64).view(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(32)
    return key, aligned[:, valid[0]].T.astype(np.float64)


def _smallest(key: np.ndarray, spectra: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    key, first = np.unique(key, return_index=True)
    return key[:SAMPLE], spectra[first[:SAMPLE]]


def clusters(spectra: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Centres [count, C] of k-means on spectra divided by the bands' largest values, and these [C].

    The first centres are spread evenly over the order of brightness.
    """
    if not len(spectra):
        return np.zeros((count, spectra.shape[1])), np.ones(spectra.shape[1])
    largest = np.abs(spectra).max(axis=0)
    largest = np.where(largest > 0, largest, 1.0)
    x = spectra / largest
    centres = x[np.argsort(x.sum(axis=1), kind="stable")[np.linspace(0, len(x) - 1, count).round().astype(int)]]
    for _ in range(100):
        nearest = ((centres**2).sum(axis=1) - 2 * x @ centres.T).argmin(axis=1)
        moved = [x[nearest == s].mean(axis=0) if (nearest == s).any() else centres[s] for s in range(count)]
        if np.allclose(moved, centres, rtol=0, atol=1e-12):
            break
        centres = np.stack(moved)
    return centres, largest
