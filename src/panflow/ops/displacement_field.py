"""Where the offset of MS against PAN is another from place to place: MS resampled to where one offset holds.

Only MS's sampling positions move, PAN stays as it is. All in NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

from panflow.ops.window import Core, grown
from panflow.types import YX

LOBES = 3  # of the Lanczos filter by which MS is resampled
FINE = 1024  # parts of an MS pixel to which positions are rounded, so that windows of a scene are exact
EXACT = 2**20  # parts of a PAN pixel that offsets which vary are kept in

Read = Callable[[Core], tuple[np.ndarray, np.ndarray | None]]


@dataclass(frozen=True)
class DisplacementField:
    """nodes [G, 2, n, m]: offsets of MS (rows, columns) beyond the one of its phase, in PAN pixels, one for a group of
    bands, at PAN positions origin + k step; bilinear between nodes, beyond them as at the border. groups: that of every
    band; (): all are of the first."""

    nodes: np.ndarray
    origin: YX
    step: YX
    groups: tuple[int, ...] = ()

    def at(self, rows: np.ndarray, columns: np.ndarray, group: int = 0) -> np.ndarray:
        """[2, rows, columns] of a group at positions on the PAN grid."""
        nodes = self.nodes[group]
        for axis, position in ((1, rows), (2, columns)):
            last = nodes.shape[axis] - 1
            place = np.clip((position - self.origin[axis - 1]) / self.step[axis - 1], 0, last)
            low = np.minimum(place.astype(int), max(last - 1, 0))
            share = (place - low).reshape((-1, 1) if axis == 1 else -1)
            below, above = nodes.take(low, axis), nodes.take(np.minimum(low + 1, last), axis)
            nodes = below + share * (above - below)
        return nodes

    @property
    def largest(self) -> float:
        """PAN pixels, in rows or columns."""
        return float(np.abs(self.nodes).max())

    def bands(self, count: int) -> dict[int, list[int]]:
        """Those of every group, of so many."""
        groups = self.groups or (0,) * count
        return {group: [band for band in range(count) if groups[band] == group] for group in sorted(set(groups))}


def lattice(size: tuple[int, int], nodes: tuple[int, int]) -> tuple[YX, YX]:
    """Origin and step of so many nodes, at least two, over a PAN grid of a size, in whole 1024ths of a pixel."""
    y, x = (max(1, ceil((n - 1) / (count - 1) * FINE)) / FINE for n, count in zip(size, nodes))
    return (0.0, 0.0), (y, x)


def parted(
    totals: np.ndarray, groups: tuple[int, ...], origin: YX, step: YX
) -> tuple[list[YX], DisplacementField | None]:
    """Offsets [G, 2, n, m] at nodes as a constant of every group, and what is left of them: None where nothing is.

    What varies is in parts of a pixel that doubles hold, so the two add up to the same digits again.
    """
    flat = totals.reshape(*totals.shape[:2], -1)
    still = np.ptp(flat, axis=2) == 0
    totals = np.round(totals * EXACT) / EXACT
    constant = np.where(still, flat[..., 0], np.round(flat.mean(axis=2) * FINE) / FINE)
    left = np.where(still[..., None, None], 0.0, totals - constant[..., None, None])
    shifts = [(float(y), float(x)) for y, x in constant]
    return shifts, DisplacementField(left, origin, step, groups) if left.any() else None


def polynomial(order: int, places: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Terms [n, k] up to an order, of places [n, 2] on the PAN grid, which is brought to -1 .. 1."""
    y, x = (2 * places[:, axis] / max(size[axis] - 1, 1) - 1 for axis in (0, 1))
    return np.stack([y**i * x**j for i in range(order + 1) for j in range(order + 1 - i)], axis=1)


def fitted(order: int, places: np.ndarray, offsets: np.ndarray, weights: np.ndarray, size: tuple[int, int]) -> Any:
    """Coefficients [k, 2] of the polynomial through offsets [n, 2] at places [n, 2] in PAN pixels; places that are off
    by more than a quarter pixel count less (Huber's weights)."""
    terms = polynomial(order, places, size)
    solution = np.zeros((terms.shape[1], 2))
    share = np.ones(len(places))
    for _ in range(6):
        root = np.sqrt(weights * share)[:, None]
        solution = np.linalg.lstsq(root * terms, root * offsets, rcond=None)[0]
        off = np.abs(terms @ solution - offsets).max(axis=1)
        share = np.minimum(1, 0.25 / np.maximum(off, 1e-9))
    return solution


def straightened(ms: Read, field: DisplacementField, ratio: YX, phase: YX, ms_size: tuple[int, int]) -> Read:
    """MS as `ms` reads it, resampled to where the offset of its phase holds everywhere.

    An MS pixel centred at p by its phase lies at p + field(p), so what belongs at p is field(p) / ratio MS pixels
    further up and left. A pixel is valid where most of what it is made of is.
    """
    reach = LOBES + ceil(field.largest / min(ratio))

    def read(core: Core) -> tuple[np.ndarray, np.ndarray | None]:
        outer = grown(core, reach, ms_size)
        image, valid = ms(outer)
        rows, columns = np.arange(core[0], core[1]), np.arange(core[2], core[3])
        result, there = np.empty((len(image), len(rows), len(columns)), image.dtype), None
        for group, bands in field.bands(len(image)).items():
            moved = field.at(phase[0] + rows * ratio[0], phase[1] + columns * ratio[1], group)
            y = _rounded(rows[:, None] - moved[0] / ratio[0]) - outer[0]
            x = _rounded(columns[None, :] - moved[1] / ratio[1]) - outer[2]
            result[bands], seen = _resampled(image[bands], valid, y, x)
            there = seen if there is None else there & seen
        return result, there

    return read


def _rounded(position: np.ndarray) -> np.ndarray:
    return np.round(position * FINE) / FINE


def _resampled(
    image: np.ndarray, valid: np.ndarray | None, y: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None]:
    """The image [C, h, w] at positions [H, W], by Lanczos' filter over its valid pixels; ends are replicated."""
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    total = np.zeros((len(image), *y.shape))
    sums, there = np.zeros(y.shape), np.zeros(y.shape)
    taps = range(1 - LOBES, LOBES + 1)
    across = [(np.clip(left + k, 0, image.shape[2] - 1), _lanczos(left + k - x)) for k in taps]
    for k in taps:
        row, down = np.clip(top + k, 0, image.shape[1] - 1), _lanczos(top + k - y)
        for column, weight in across:
            share = down * weight
            sums += share
            if valid is not None:
                share = share * valid[row, column]
            there += share
            total += share * np.where(share == 0, 0, image[:, row, column])
    known = there > 0.5 * sums
    result = (total / np.where(known, there, 1)).astype(image.dtype)
    return result, None if valid is None else known


def _lanczos(distance: np.ndarray) -> np.ndarray:
    return np.where(np.abs(distance) < LOBES, np.sinc(distance) * np.sinc(distance / LOBES), 0.0)
