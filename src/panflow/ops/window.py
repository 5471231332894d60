"""Cutting a pair into tiles: which MS pixels belong to a window of the PAN grid, and their phase in it."""

from dataclasses import replace
from itertools import pairwise
from math import ceil, floor

import numpy as np

from panflow.errors import InputError
from panflow.ops.resample import REACH
from panflow.types import YX, Pair

WINDOWS = 8, 16  # at least, for scenes that have them, and at most: one for every million MS pixels
SIDE = 128  # MS pixels
DENSE = 64
Core = tuple[int, int, int, int]  # top, bottom, left, right in PAN pixels


def grown(core: Core, halo: int, size: tuple[int, int]) -> Core:
    """The core with `halo` pixels on every side, as far as there is an image."""
    top, bottom, left, right = core
    return max(0, top - halo), min(size[0], bottom + halo), max(0, left - halo), min(size[1], right + halo)


def ms_span(low: int, high: int, phase: float, ratio: float, size: int, reach: int = REACH + 1) -> tuple[int, int]:
    """First and end of the MS pixels that PAN pixels low..high - 1 draw on, within an axis of `size` pixels.

    At least one, the nearest, where the window lies beside the MS image.
    """
    first = floor((low - phase) / ratio) - reach
    end = ceil((high - 1 - phase) / ratio) + reach + 1
    return min(max(first, 0), size - 1), max(min(end, size), 1)


def ms_window(outer: Core, phase: tuple[YX, ...], ratio: YX, size: tuple[int, int]) -> tuple[Core, tuple[YX, ...]]:
    """The MS window (top, bottom, left, right) under a PAN window, and every band's phase within the two."""
    top, bottom, left, right = outer
    rows = [ms_span(top, bottom, y, ratio[0], size[0]) for y, _ in phase]
    columns = [ms_span(left, right, x, ratio[1], size[1]) for _, x in phase]
    first, end = min(r[0] for r in rows), max(r[1] for r in rows)
    west, east = min(c[0] for c in columns), max(c[1] for c in columns)
    moved = tuple((y + first * ratio[0] - top, x + west * ratio[1] - left) for y, x in phase)
    return (first, end, west, east), moved


def window(pair: Pair, top: int, bottom: int, left: int, right: int, halo: int | None) -> Pair:
    """The tile of PAN rows top to bottom and columns left to right (ends excluded), with its context.

    PAN comes with `halo` pixels around as far as the image goes (None: the whole image), MS with what interpolation
    needs beyond that. Raises InputError where the tile leaves the image, and for toolbox pairs, whose borders wrap.
    """
    height, width = pair.size
    if not (0 <= top < bottom <= height and 0 <= left < right <= width):
        raise InputError(
            f"rows {top} to {bottom}, columns {left} to {right}: expected a part of {height} x {width} PAN pixels"
        )
    if pair.toolbox:
        raise InputError("a toolbox pair wraps around its borders and cannot be cut: take the standard arithmetic")
    core = top, bottom, left, right
    outer = grown(core, max(pair.size) if halo is None else halo, pair.size)
    top, bottom, left, right = outer
    (first, end, west, east), phase = ms_window(outer, pair.phase, pair.ratio, pair.ms_size)

    def fine(image):
        return None if image is None else image[..., top:bottom, left:right]

    def coarse(image):
        return None if image is None else image[..., first:end, west:east]

    return replace(
        pair,
        pan=fine(pair.pan),
        ms=coarse(pair.ms),
        pan_valid=fine(pair.pan_valid),
        ms_valid=coarse(pair.ms_valid),
        reference=fine(pair.reference),
        phase=phase,
        core=(core[0] - top, core[1] - top, core[2] - left, core[3] - left),
        origin=(pair.origin[0] + top, pair.origin[1] + left),
    )


def tiles(size: tuple[int, int], side: int) -> list[Core]:
    """The cores, row by row, of a lattice of square tiles over an image; the last ones may be smaller."""
    return [
        (top, min(top + side, size[0]), left, min(left + side, size[1]))
        for top in range(0, size[0], side)
        for left in range(0, size[1], side)
    ]


def meet(core: Core, other: Core) -> bool:
    """Whether two cores have a pixel in common."""
    top, bottom, left, right = within(core, other)
    return top < bottom and left < right


def within(core: Core, other: Core) -> Core:
    """The pixels that two cores have in common."""
    return max(core[0], other[0]), min(core[1], other[1]), max(core[2], other[2]), min(core[3], other[3])


def partition(size: tuple[int, int], side: int) -> list[Core]:
    """Cores of nearly equal size, about `side` pixels a side, that cover an image."""
    rows, columns = (np.linspace(0, n, max(1, round(n / side)) + 1).round().astype(int).tolist() for n in size)
    return [(top, bottom, left, right) for top, bottom in pairwise(rows) for left, right in pairwise(columns)]


def spread(cores: list[Core], count: int) -> list[Core]:
    """At most `count` of the cores, evenly spread with a seeded offset in every stretch."""
    if len(cores) <= count:
        return cores
    rng = np.random.default_rng(0)
    edges = np.linspace(0, len(cores), count + 1)
    return [cores[int(low + (high - low) * rng.random())] for low, high in pairwise(edges)]


def dense(size: tuple[int, int], ratio: YX) -> list[Core]:
    """Cores of that size that offsets are measured in which vary: all, or as many as are affordable."""
    return spread(partition(size, round(SIDE * max(ratio))), DENSE)


def windows(size: tuple[int, int], ms_size: tuple[int, int], ratio: YX) -> list[Core]:
    """Cores of about SIDE MS pixels a side, spread over an image, that offset and MTF are measured in."""
    count = int(np.clip(np.prod(ms_size) / 1e6, *WINDOWS))
    return spread(partition(size, round(SIDE * max(ratio))), count)
