"""Seconds of map tiles: sharpened on the fly, beside rio-tiler reading the finished file.

    python benchmarks/tiles.py PAN MS [--methods gsa,brovey] [--count 200]

PAN and MS are copied to cloud-optimised GeoTIFFs first. In one process and one thread, with one cache of GDAL's for
both, tiles of 256 pixels at the scene's full zoom are read in one random order, by every reader in turn, so that what
else the machine does meets all. The finished file is opened for every tile, as servers do, and once for all. Prints a
table in Markdown.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median, quantiles

from rasterio.shutil import copy
from rio_tiler.errors import TileOutsideBounds
from rio_tiler.io import Reader as FileReader

from panflow.files.scene import Scene
from panflow.scene.sharpen import sharpen_file
from panflow.tiles.live import live
from panflow.tiles.reader import WGS84, Reader


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pan")
    parser.add_argument("ms")
    parser.add_argument("--methods", default="gsa,brovey,mtf_glp_hpm")
    parser.add_argument("--count", type=int, default=200)
    given = parser.parse_args()
    print("| method | reader | median ms | 95 % ms | CPU ms, mean |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, live(cogs(given.pan, given.ms, Path(folder)), 1) as scene:
        for method in given.methods.split(","):
            finished = str(Path(folder) / f"{method}.tif")
            sharpen_file(given.pan, given.ms, finished, method=method, jobs=1)
            reader = Reader(scene, method=method)
            tiles = inner(reader)
            random.Random(0).shuffle(tiles)
            chosen = (tiles * (given.count // len(tiles) + 1))[: given.count]
            reader.tile(*chosen[0])  # fits

            with FileReader(finished) as file:
                ways = {
                    "sharpened on the fly": reader.tile,
                    "rio-tiler, file opened for each": partial(opened, finished),
                    "rio-tiler, file kept open": file.tile,
                }
                for name, times in measured(ways, chosen).items():
                    walls = [1e3 * wall for wall, _ in times]
                    cpu = 1e3 * sum(used for _, used in times) / len(times)
                    print(f"| {method} | {name} | {median(walls):.1f} | {quantiles(walls, n=20)[-1]:.1f} | {cpu:.1f} |")


def cogs(pan: str, ms: str, folder: Path) -> Scene:
    """The scene, of copies as cloud-optimised GeoTIFFs."""
    for name, path in (("pan", pan), ("ms", ms)):
        copy(path, folder / f"{name}.tif", driver="COG", compress="zstd")
    return Scene.of(folder / "pan.tif", folder / "ms.tif")


def opened(path: str, *tile: int) -> None:
    """A tile of a file that is opened for it."""
    with FileReader(path) as file:
        file.tile(*tile)


def inner(reader: Reader) -> list[tuple[int, int, int]]:
    """The tiles at full zoom that lie wholly in the scene."""
    west, south, east, north = reader.get_geographic_bounds(WGS84)
    result = []
    for tile in reader.tms.tiles(west, south, east, north, [reader.maxzoom]):
        try:
            if not reader.tile(*tile).array.mask.any():
                result.append((tile.x, tile.y, tile.z))
        except TileOutsideBounds:
            continue
    return result


def measured(ways: dict, tiles: list) -> dict[str, list[tuple[float, float]]]:
    """(wall, CPU) seconds of every tile, by way."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for tile in tiles:
        for name, way in ways.items():
            wall, used = time.perf_counter(), time.process_time()
            way(*tile)
            times[name].append((time.perf_counter() - wall, time.process_time() - used))
    return times


if __name__ == "__main__":
    main()
