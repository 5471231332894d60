"""One large scene by the workers of a dask cluster on this machine and by `sharpen_file` alone: bytes, CPU, memory.

    python benchmarks/cluster.py FOLDER --size 20480 --workers 2

A scene of 4 bands is drawn and tiled to the size; the files are removed afterwards. CPU seconds are those of all
threads, memory is the peak of resident pages. The client's process also runs dask's scheduler here.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import resource
import shutil
import time
from pathlib import Path

import click
import numpy as np
import rasterio

from panflow.data import synthetic
from panflow.ops.memory import keep_freed
from panflow.scene.memory import peak_mib
from panflow.sensors import load

TILE = 2048  # PAN pixels a side of what is drawn
OPTIONS = {"sensor": "ikonos", "register": "off", "mtf": "sensor", "overwrite": True}


def draw(folder: Path, size: int) -> None:
    """pan.tif and ms.tif, uint16, tiled 512, uncompressed."""
    pair = synthetic.scene(TILE, load("ikonos"), seed=1)
    for name, image, side, pixel in (("pan", pair.pan[0], size, 0.5), ("ms", pair.ms[0], size // 4, 2.0)):
        image = np.round(image).astype("uint16")
        step = image.shape[-1]
        blocks = {"tiled": True, "blockxsize": 512, "blockysize": 512, "bigtiff": "IF_SAFER"}
        georeference = {"crs": "EPSG:32633", "transform": rasterio.Affine(pixel, 0, 385000, 0, -pixel, 5820000)}
        shape = {"width": side, "height": side, "count": len(image), "dtype": "uint16"}
        with rasterio.open(folder / f"{name}.tif", "w", driver="GTiff", **shape, **blocks, **georeference) as file:
            for top in range(0, side, step):
                for left in range(0, side, step):
                    rows, columns = min(step, side - top), min(step, side - left)
                    window = rasterio.windows.Window(left, top, columns, rows)
                    file.write(image[:, :rows, :columns], window=window)


def used() -> tuple[float, float]:
    """CPU seconds of this process so far, and its peak memory in MiB."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime, peak_mib()


def alone(folder: Path, method: str, jobs: int, answers) -> None:
    import panflow

    keep_freed()
    started = time.perf_counter()
    profile = panflow.Profile(format="gtiff")
    panflow.sharpen_file(
        folder / "pan.tif",
        folder / "ms.tif",
        folder / "alone.tif",
        method=method,
        jobs=jobs,
        profile=profile,
        **OPTIONS,
    )
    answers.put((time.perf_counter() - started, *used()))


def many(folder: Path, method: str, workers: int, answers) -> None:
    from distributed import Client, LocalCluster

    import panflow

    keep_freed()
    profile = panflow.Profile(format="gtiff")
    options = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        before, started = used()[0], time.perf_counter()
        worked = {name: seconds for name, (seconds, _) in client.run(used).items()}
        panflow.sharpen_file(
            folder / "pan.tif",
            folder / "ms.tif",
            folder / "many.tif",
            method=method,
            profile=profile,
            jobs=workers,
            scheduler=client,
            **OPTIONS,
        )
        seconds, (after, peak) = time.perf_counter() - started, used()
        ended = client.run(used)
        answers.put(
            (
                seconds,
                after - before,
                peak,
                sum(cpu - worked[name] for name, (cpu, _) in ended.items()),
                max(memory for _, memory in ended.values()),
            )
        )


def measured(function, *arguments) -> tuple:
    """In a fresh process."""
    context = multiprocessing.get_context("spawn")
    answers = context.SimpleQueue()
    process = context.Process(target=function, args=(*arguments, answers))
    process.start()
    process.join()
    return answers.get()


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--size", default=20480, show_default=True)
@click.option("--workers", default=2, show_default=True)
@click.option("--method", "methods", multiple=True, default=("brovey",), show_default=True)
def main(folder: Path, size: int, workers: int, methods: tuple[str, ...]) -> None:
    folder.mkdir(parents=True)
    os.environ["SOURCE_DATE_EPOCH"] = "0"  # files that are alike have the same bytes
    try:
        draw(folder, size)
        click.echo("| method | how | s | CPU s | of it client | peak MiB, client | a worker | file, MiB | equal |")
        click.echo("|---|---|---|---|---|---|---|---|---|")
        for method in methods:
            seconds, cpu, peak = measured(alone, folder, method, workers)
            mib = (folder / "alone.tif").stat().st_size / 2**20
            click.echo(
                f"| {method} | alone, {workers} threads | {seconds:.0f} | {cpu:.1f} | | {peak:.0f} | | {mib:.0f} | |"
            )
            seconds, client, peak, worked, most = measured(many, folder, method, workers)
            equal = "yes" if digest(folder / "alone.tif") == digest(folder / "many.tif") else "no"
            click.echo(
                f"| {method} | {workers} workers | {seconds:.0f} | {client + worked:.1f} | {client:.1f} | {peak:.0f} | "
                f"{most:.0f} | {mib:.0f} | {equal} |"
            )
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
