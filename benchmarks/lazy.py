"""What a window of a large lazy result costs, beside the whole.

    python benchmarks/lazy.py [--size 8192] [--method gsa]

PAN and MS are dask's arrays of random counts, so reading costs next to nothing. CPU seconds, and how many tiles of
512 x 512 were sharpened for it; prints a Markdown table.
"""

import argparse
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import xarray
from dask import array

import panflow.xarray

T = TypeVar("T")


def image(bands: int, size: int, step: float) -> xarray.DataArray:
    """Random counts on pixels of `step` metres."""
    counts = array.random.default_rng(0).integers(200, 2000, (bands, size, size), np.uint16, chunks=(-1, 1024, 1024))
    places = (np.arange(size) + 0.5) * step
    return xarray.DataArray(counts, dims=("band", "y", "x"), coords={"y": -places, "x": places})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=8192)
    parser.add_argument("--method", default="gsa")
    options = parser.parse_args()
    print("| what | tiles | CPU s |\n| --- | --- | --- |")

    tiles = []
    sharpened = panflow.xarray._sharpened
    panflow.xarray._sharpened = lambda *arguments: tiles.append(1) or sharpened(*arguments)

    def row(what: str, work: Callable[[], T]) -> T:
        tiles.clear()
        started = time.process_time()
        result = work()
        print(f"| {what} | {len(tiles)} | {time.process_time() - started:.1f} |", flush=True)
        return result

    pan, ms = image(1, options.size, 1), image(4, options.size // 4, 4)
    lazy = row("the graph", lambda: pan.panflow.sharpen(ms, method=options.method))
    row("a window of 256 x 256, fit included", lambda: lazy[:, -256:, -256:].compute())
    row("a window of 256 x 256 across four tiles, fit included", lambda: lazy[:, 384:640, 384:640].compute())
    strips = [lazy[:, top : top + 1024] for top in range(0, options.size, 1024)]  # nobody keeps the whole
    row("the whole in strips of 1024 rows, each with a fit", lambda: [strip.compute() is None for strip in strips])


if __name__ == "__main__":
    main()
