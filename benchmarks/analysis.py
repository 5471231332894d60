"""What analysts lean on, as Markdown tables.

python benchmarks/analysis.py consistency --data DIR
"""

import argparse
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from verdicts import real

from panflow import sensors, zoo
from panflow.data import synthetic
from panflow.data.observed import Optics, observe
from panflow.files.scene import Scene
from panflow.ops import consistency
from panflow.ops.mtf import with_mtf
from panflow.pairs import doubled
from panflow.scene.opening import opened
from panflow.types import Pair

METHODS = ("gsa", "bandwise")
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("consistency",))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    warnings.simplefilter("ignore")
    logging.getLogger("rasterio").setLevel(logging.CRITICAL)
    options = parser.parse_args()
    {"consistency": consistent}[options.what](options.data)


if __name__ == "__main__":
    main()
