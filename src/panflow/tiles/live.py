"""A scene that stays open: any window of it is sharpened when it is asked for, by any method."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import product

import numpy as np

from panflow import registry, zoo
from panflow.errors import InputError
from panflow.files.scene import Scene
from panflow.ops.cores import available
from panflow.ops.window import Core
from panflow.scene import engine
from panflow.scene.counts import counts, nodata_in
from panflow.scene.opening import Opened, opened
from panflow.types import Sharpener

CACHE_MIB = 256  # of GDAL: neighbouring tiles read the same blocks
KEPT = 64  # blocks of costly methods that are remembered: 8 bands of them are 256 MiB


class Live:
    """An opened scene, and sharpeners that are fitted on it when they are first asked for; serves many threads.

    source: the scene's windows, MS where it was registered; notes: what a user should know.
    """

    def __init__(self, ready: Opened, jobs: int):
        self.source, self.notes, self._jobs = ready.source, ready.notes, jobs
        source = ready.source
        declared = source.ms_nodata if source.ms_nodata is not None else source.nodata
        self._dtype = np.dtype(source.ms_dtype)
        self._nodata = nodata_in(self._dtype, declared, source.may_have_holes)
        self._fitting = threading.Lock()
        self._fitted: dict[str, Sharpener] = {}
        self._block = lru_cache(KEPT)(self._sharpened)

    @property
    def methods(self) -> list[str]:
        """The default model, and the methods that do not look at the whole image."""
        every = registry.names("methods")
        local = [name for name in every if registry.get("methods", name).Method().halo(self.source.ratio) is not None]
        return [zoo.DEFAULT, *local]

    def read(self, core: Core, method: str) -> tuple[np.ndarray, np.ndarray | None]:
        """The core as in the file that `panflow sharpen` writes, [C, h, w] in the type of MS, and where it is valid
        [h, w] (None: everywhere). Raises InputError, UnknownName."""
        if not self._sharpener(method).evaluations:
            return self._sharpened(core, method)
        return self._of_blocks(core, method)

    def _sharpener(self, method: str) -> Sharpener:
        with self._fitting:
            if method not in self._fitted:
                sharpener = zoo.load(method, runtime="auto")
                if self.source.toolbox or sharpener.halo(self.source.ratio) is None:
                    raise InputError(f"{method} looks at the whole image: sharpen the scene to a file, and serve that")
                self._fitted[method] = engine.fit([(self.source, self.source.extent)], sharpener, self._jobs)
            return self._fitted[method]

    def _sharpened(self, core: Core, method: str) -> tuple[np.ndarray, np.ndarray | None]:
        sharpener = self._sharpener(method)
        pair = self.source.read(core, sharpener.halo(self.source.ratio) or 0)  # which has one
        valid = None if pair.pan_valid is None else engine.cropped(pair.pan_valid, pair)[0]
        return counts(engine.cropped(sharpener(pair), pair), valid, self._dtype, self._nodata)[0], valid

    def _of_blocks(self, core: Core, method: str) -> tuple[np.ndarray, np.ndarray | None]:
        """Put together of blocks that are remembered: windows of a map overlap, and a network takes its time."""
        top, bottom, left, right = core
        side, (height, width) = engine.BLOCK, self.source.size
        image = np.empty((self.source.bands, bottom - top, right - left), self._dtype)
        valid = np.ones(image.shape[1:], bool)
        for y, x in product(range(top // side * side, bottom, side), range(left // side * side, right, side)):
            block, there = self._block((y, min(y + side, height), x, min(x + side, width)), method)
            low, high, west, east = max(y, top), min(y + side, bottom), max(x, left), min(x + side, right)
            here = slice(low - top, high - top), slice(west - left, east - left)
            part = slice(low - y, high - y), slice(west - x, east - x)
            image[:, *here] = block[:, *part]
            valid[here] = True if there is None else there[part]
        return image, None if valid.all() else valid


@contextmanager
def live(scene: Scene, jobs: int | None = None) -> Iterator[Live]:
    """The scene, while its files are open. Raises as `scene.opening.opened`, and InputError where it is nowhere."""
    jobs = jobs or available()
    with opened(scene, jobs, GDAL_CACHEMAX=CACHE_MIB * 2**20, GTIFF_DIRECT_IO=False) as ready:
        if not ready.source.grid.located:
            raise InputError(f"{scene.pan} has no georeferencing: a map needs to know where it lies")
        yield Live(ready, jobs)


__all__ = ["Live", "live"]
