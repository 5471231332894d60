"""What a window of a large lazy result costs, beside the whole.

    python benchmarks/lazy.py [--size 8192] [--method gsa]

PAN and MS are dask's arrays of random counts, so reading costs next to nothing. CPU seconds; prints a Markdown table.
"""

import argparse
import time

import numpy as np
import xarray
from dask import array

import panflow.xarray  # noqa: F401


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
    started = time.process_time()
    lazy = image(1, options.size, 1).panflow.sharpen(image(4, options.size // 4, 4), method=options.method)
    rows = [("the graph", started)]
    started = time.process_time()
    lazy[:, -256:, -256:].compute()
    rows.append(("a window of 256 x 256, fit included", started))
    print("| what | CPU s |\n| --- | --- |")
    ends = [rows[1][1], time.process_time()]
    for (what, start), end in zip(rows, ends):
        print(f"| {what} | {end - start:.1f} |")
    started = time.process_time()
    for top in range(0, options.size, 1024):  # nobody keeps the whole
        lazy[:, top : top + 1024].compute()
    print(f"| the whole in strips of 1024 rows, each with a fit | {time.process_time() - started:.1f} |")


if __name__ == "__main__":
    main()
