"""A scene block by block, in bounded memory, from whatever gives its windows as pairs.

The scene is cut into a fixed lattice of blocks; a block is read with the method's halo, computed, and handed on
whole. Blocks never depend on how many are in flight, so the result is the same for every memory limit and number
of threads, bit by bit. What a method must know of the whole scene it learns in a first pass, over all blocks of a
small scene and over a seeded sample of a large one.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np

from panflow.ops.memory import require_room
from panflow.ops.window import Core, meet, spread, tiles, within
from panflow.pairs import Windows
from panflow.scene.blocks import overlapped
from panflow.types import Pair, Progress, Sharpener

BLOCK = 512  # PAN pixels of a block's side
FIT_BLOCKS = 32  # blocks from which a larger scene is fitted
BASE_MIB = 250  # the interpreter and its libraries, as --max-memory counts them
TORCH_MIB = 200  # torch, where it is needed
COMPILED = 50e6  # PAN pixels from which loading compiled loops pays
T = TypeVar("T")


class Tile(NamedTuple):
    """pair: of a tile with its context, whose core is what it has of the part that is meant; fused: the answer,
    [1, C, H, W]; around: the pair of the same core with so many PAN pixels around it."""

    pair: Pair
    fused: np.ndarray
    around: Callable[[int], Pair]


Work = Callable[[Core, np.ndarray, np.ndarray | None, Tile], T]  # core, image [C, h, w], where it is valid [h, w], all


def lattice(region: Core) -> list[Core]:
    """The blocks of a region of a scene, cut where it ends."""
    return [within(core, region) for core in tiles((region[1], region[3]), BLOCK) if meet(core, region)]


def sample(region: Core) -> list[Core]:
    """The blocks that methods are fitted on."""
    return spread(lattice(region), FIT_BLOCKS)


def load_loops(part: Core) -> None:
    """Compiled loops where they are installed, and a part is so large that loading them pays."""
    if (part[1] - part[0]) * (part[3] - part[2]) >= COMPILED:
        with suppress(ImportError):  # an extra
            importlib.import_module("panflow.ops.compiled")


@dataclass(frozen=True)
class Run:
    """A fitted sharpener, and how a part of a scene is worked through.

    part: of the scene, in PAN pixels; region: that a sharpener without a halo is given; halo: PAN pixels around each of
    the tiles, None where there is one, the region; flight: tiles in work at once; jobs: threads.
    """

    windows: Windows
    sharpener: Sharpener
    part: Core
    region: Core
    tiles: list[Core]
    halo: int | None
    flight: int
    jobs: int
    warnings: list[str]
    progress: Progress | None = None

    def each(self, work: Work[T]) -> Iterator[T]:
        """work(core, image, valid, tile) of every tile, in order; called by several threads."""
        items = overlapped(lambda core: self.tile(core, work), self.tiles, self.jobs, self.flight)
        return reported("sharpen", items, len(self.tiles), self.progress)

    def place(self, core: Core) -> Core:
        """What a tile has of the part, counted from the part's first pixel."""
        top, bottom, left, right = within(core, self.part)
        return top - self.part[0], bottom - self.part[0], left - self.part[2], right - self.part[2]

    def tile(self, core: Core, work: Work[T]) -> T:
        """work(core, image, valid, tile) of what a tile has of the part, where the core counts from the part's first
        pixel.

        Tiles are computed as they lie in the scene, so that a part has the bits of the whole.
        """
        pair = self.windows.whole(self.region) if self.halo is None else self.windows.read(core, self.halo)
        here, first = within(core, self.part), cast(Core, pair.core)
        down, right = first[0] - core[0], first[2] - core[2]
        meant = replace(pair, core=(here[0] + down, here[1] + down, here[2] + right, here[3] + right))
        fused = np.asarray(self.sharpener(pair))
        valid = None if pair.pan_valid is None else cropped(pair.pan_valid, meant)[0]
        valid = None if valid is None or valid.all() else valid
        return work(
            self.place(core), cropped(fused, meant), valid, Tile(meant, fused, partial(self.windows.read, here))
        )


def fit(
    scenes: Sequence[tuple[Windows, Core]], sharpener: Sharpener, jobs: int, progress: Progress | None = None
) -> Sharpener:
    """The sharpener fitted on regions of one or several scenes together."""
    return sharpener.fit(_Sampled(scenes, sharpener, jobs, progress))


def planned(
    windows: Windows,
    sharpener: Sharpener,
    jobs: int,
    max_memory: float | None = None,
    progress: Progress | None = None,
    *,
    part: Core | None = None,
    region: Core | None = None,
) -> Run:
    """How a fitted sharpener works through a scene, or a part of it, in `max_memory` MiB."""
    part, region = part or windows.extent, region or windows.extent
    halo = halo_of(windows, sharpener)
    if halo is None:
        side = max(region[1] - region[0], region[3] - region[2])
        cores = [region]
    else:
        side = BLOCK * _blocks(sharpener, windows.size)
        cores = [core for core in tiles(windows.size, side) if meet(core, part)]
    flight, tight = _in_flight(sharpener, windows, side, halo or 0, jobs, max_memory)
    warnings = [*_tiling(windows, sharpener), *tight]
    return Run(windows, sharpener, part, region, cores, halo, flight, jobs, warnings, progress)


def halo_of(windows: Windows, sharpener: Sharpener) -> int | None:
    """PAN pixels around a tile; None: the whole scene, around whose borders the toolbox's arithmetic wraps."""
    return None if windows.toolbox else sharpener.halo(windows.ratio)


def _blocks(sharpener: Sharpener, size: tuple[int, int]) -> int:
    """Blocks of the file that a tile has on a side: more for what costs much around a tile, where there are many."""
    return 2 if sharpener.costly and min(size) >= 4 * BLOCK else 1


def _in_flight(
    sharpener: Sharpener, windows: Windows, side: int, halo: int, jobs: int, max_memory: float | None
) -> tuple[int, list[str]]:
    """How many tiles may be in work at once under a limit in MiB."""
    side = min(side + 2 * halo, max(windows.size))
    base, tile = BASE_MIB, side * side * 4 * (6 * windows.bands + 8) / 2**20
    tile += sharpener.memory(windows.bands, windows.ratio)
    if sharpener.evaluations:
        base += TORCH_MIB
    require_room(base + tile, "this scene by this method", "take another method, a part of the scene, or --context N")
    if max_memory is None:
        return 2 * jobs, []
    flight = int((max_memory - base) / tile)
    if flight >= 1:
        return min(flight, 2 * jobs), []
    need = ceil(base + tile)
    return 1, [f"--max-memory {max_memory:g} is less than one block needs: about {need} MiB are used"]


def _tiling(windows: Windows, sharpener: Sharpener) -> list[str]:
    """What a user should know of a sharpener that looks at the whole image."""
    if windows.toolbox:
        return ["the toolbox's arithmetic takes the whole image, so memory grows with the scene"]
    if sharpener.halo(windows.ratio) is None:
        return ["the method looks at the whole image, so memory grows with the scene (--context N tiles a network)"]
    if sharpener.depends_on_tiles:
        return ["the network looks at the whole image: cut into tiles, its result depends on them"]
    return []


class _Sampled:
    """The pairs that a sharpener is fitted on, as often as it likes: read ahead by one, or worked on by threads."""

    def __init__(
        self, scenes: Sequence[tuple[Windows, Core]], sharpener: Sharpener, jobs: int, progress: Progress | None
    ):
        self.places: list[tuple[Windows, Core, int | None]] = []
        for windows, region in scenes:
            halo = halo_of(windows, sharpener)
            self.places += [(windows, core, halo) for core in ([region] if halo is None else sample(region))]
        self.jobs, self.progress = jobs, progress

    def __iter__(self) -> Iterator[Pair]:
        return self._reported(overlapped(self._pair, self.places, 1, 2))

    def each(self, function: Callable[[Pair], T]) -> Iterator[T]:
        """A function of every pair, in order."""
        work = overlapped(lambda place: function(self._pair(place)), self.places, self.jobs, self.jobs + 1)
        return self._reported(work)

    def _pair(self, place: tuple[Windows, Core, int | None]) -> Pair:
        windows, core, halo = place
        return windows.whole(core) if halo is None else windows.read(core, halo)

    def _reported(self, items: Iterator[T]) -> Iterator[T]:
        return reported("fit", items, len(self.places), self.progress)


def reported(stage: str, items: Iterator[T], total: int, progress: Progress | None) -> Iterator[T]:
    """The items; progress hears of every one that was used."""
    if progress:
        progress(stage, 0, total)
    for done, item in enumerate(items, 1):
        yield item
        if progress:
            progress(stage, done, total)


def cropped(image: Any, pair: Pair) -> np.ndarray:
    """The core [C, h, w] of an image [1, C, H, W] on the pair's PAN grid."""
    top, bottom, left, right = cast(Core, pair.core)
    return np.asarray(image)[0, :, top:bottom, left:right]
