"""What analysts lean on, as Markdown tables.

python benchmarks/analysis.py consistency --data DIR
"""

import argparse
import logging
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_dilation
from verdicts import real

from panflow import sensors, zoo
from panflow.data import synthetic
from panflow.data.observed import Optics, _moved, observe
from panflow.files.scene import Scene
from panflow.ops import consistency, movers
from panflow.ops.agreement import agreement
from panflow.ops.mtf import with_mtf
from panflow.ops.window import tiles
from panflow.pairs import Windows, doubled
from panflow.scene.opening import opened
from panflow.types import Pair

METHODS = ("gsa", "bandwise")
CHOSEN, HELD_OUT = (1, 2), (11, 12, 13)  # seeds
SIDE = 384  # PAN pixels that are taken of a real pair


def drawn(sensor: str, seed: int, size: int = 384, optics: Optics | None = None) -> Pair:
    """A pair with its truth, as `panflow bench full-scale` draws them."""
    return doubled(observe(synthetic.scene(size, sensors.load(sensor), seed=seed, noise=0.0), optics or Optics(), seed))


def pairs(data: Path) -> Iterator[tuple[str, Pair]]:
    """Drawn and real ones, these registered and with their MTF as `panflow sharpen` takes it."""
    for sensor in ("ikonos", "worldview3", "landsat8"):
        yield f"{sensor}, drawn", with_mtf(drawn(sensor, 50), "auto")
    for name, pan, ms, sensor in real(data):
        with opened(Scene.of(pan, ms, sensor=sensor), 2) as ready:
            side = [min(SIDE, n) for n in ready.source.size]
            yield name, doubled(ready.source.read((0, side[0], 0, side[1]), 0))


def lacks(image: np.ndarray, pair: Pair) -> tuple[float, float]:
    """RMS and largest, in percent of the mean of MS, of the worst band."""
    count, squares, largest = consistency.lacking(image, pair)
    mean = np.abs(pair.ms.mean(axis=(0, 2, 3)))
    return (100 * np.sqrt(squares / count) / mean).max(), (100 * largest / mean).max()


def error(image: np.ndarray, pair: Pair) -> float:
    return float(np.sqrt(np.mean((image - pair.reference)[..., 16:-16, 16:-16] ** 2)))


def consistent(data: Path) -> None:
    print("| pair | lowest gain | method | RMS, % | after | largest, % | after | change of error |\n|" + " --- |" * 8)
    for name, pair in pairs(data):
        for method in METHODS:
            fused = np.asarray(zoo.load(method).fit([pair])(pair), np.float64)
            result = consistency.consistent(fused, pair)
            (rms, most), (rms_after, most_after) = lacks(fused, pair), lacks(result, pair)
            worse = (
                f"{100 * (error(result, pair) / error(fused, pair) - 1):+.0f} %" if pair.reference is not None else ""
            )
            cells = f"{min(pair.sensor.gains):.2f} | `{method}` | {rms:.2f} | {rms_after:.3f}"
            print(f"| {name} | {cells} | {most:.1f} | {most_after:.2f} | {worse} |", flush=True)


MOVERS = 300  # in a million PAN pixels
CHANGED = (0.02, 0.05, 0.1)  # of full scale, of the band that changes most


def with_movers(sensor: str, seed: int, size: int = 448) -> tuple[Pair, np.ndarray]:
    """A pair in whose MS some things have gone on, and by how much MS pixels [h, w] changed for it, of full scale."""
    truth = doubled(synthetic.scene(size, sensors.load(sensor), seed=seed, noise=0.0))
    later = _moved(truth.reference, MOVERS, np.random.default_rng(1000 + seed))
    pair = observe(replace(truth, reference=later), Optics(movers=0.0), seed)
    change = np.abs(consistency.seen(later - truth.reference, truth))[0].max(axis=0)
    return with_mtf(pair, "auto"), change / (2.0**truth.sensor.bits - 1)


def detected(pair: Pair) -> np.ndarray:
    whole = Windows.of(pair)
    windows = [whole.read(core, 0) for core in tiles(pair.size, max(pair.size) // 2)]
    return movers.moved(pair, agreement(windows).weights)


def moving(_: Path) -> None:
    head = " | ".join(f"recall, {100 * share:.0f} %" for share in CHANGED)
    print(f"| scenes | flagged | precision | {head} |\n|" + " --- |" * 6)
    for seeds in (CHOSEN, HELD_OUT):
        for sensor in ("ikonos", "worldview3", "landsat8", "geoeye1"):
            if sensor == "geoeye1" and seeds is CHOSEN:
                continue
            flagged, right, size, of, hit = 0, 0, 0, np.zeros(3), np.zeros(3)
            for seed in seeds:
                pair, change = with_movers(sensor, seed)
                found = detected(pair)
                near = binary_dilation(change > 0.002)
                flagged, right, size = flagged + found.sum(), right + (found & near).sum(), size + found.size
                for k, share in enumerate(CHANGED):
                    of[k] += (change > share).sum()
                    hit[k] += (found & (change > share)).sum()
            cells = " | ".join(f"{a:.2f}" for a in hit / of)
            name = f"{sensor}, {'chosen on' if seeds is CHOSEN else 'held out'}"
            print(f"| {name} | {100 * flagged / size:.2f} % | {right / flagged:.2f} | {cells} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("consistency", "movers"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    warnings.simplefilter("ignore")
    logging.getLogger("rasterio").setLevel(logging.CRITICAL)
    options = parser.parse_args()
    {"consistency": consistent, "movers": moving}[options.what](options.data)


if __name__ == "__main__":
    main()
