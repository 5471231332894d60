"""Sharpeners on real pairs: reduced resolution by Wald's protocol and full resolution, as Markdown tables.

    python benchmarks/quality.py --data DIR --methods exp bt_h otfm [--pairs restricted/ikonos ...]

The phase of every pair is measured (panflow.ops.register), except for the sets that others have reduced, whose phase
and MTF are known and told to every method: those that explain their MS by their reference best. The best of each
column is bold.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import rasterio

import panflow
from panflow import sensors
from panflow.indices._sets import load
from panflow.ops.register import register
from panflow.ops.window import partition, window
from panflow.pairs import make_pair

SENSORS = {"worldview2": "worldview2", "ikonos": "ikonos", "spot6": "spot6", "gaofen2": "gaofen2"}
SENSORS |= {"quickbird": "quickbird", "landsat8": "landsat8"}
REDUCED = {"quickbird-reduced": (0.0, 0.22), "gaofen2-reduced": (1.5, 0.99)}  # phase and MTF gain of others' sets
PAIRS = [
    "restricted/worldview2", "restricted/ikonos", "restricted/spot6-cropland", "restricted/quickbird-reduced",
    *(f"restricted/gaofen2-full-{i}" for i in range(5)), *(f"restricted/gaofen2-reduced-{i}" for i in range(5)),
    "open/worldview2-rotterdam-3", "open/landsat8-madrid",
]  # fmt: skip
REFERENCE = ("sam", "ergas", "q2n", "scc")
ALONE = ("d_lambda_k", "d_s", "hqnr", "d_rho")


def read(path: Path) -> np.ndarray:
    """Counts in float64, NaN where there is nodata."""
    with rasterio.open(path) as dataset:
        image = dataset.read().astype(float)
        if dataset.nodata is not None:
            image[:, (image == dataset.nodata).all(axis=0)] = np.nan
    return image


def cut(pan: np.ndarray, ms: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Both cut to whole MS pixels of an integer ratio."""
    ratio = round(pan.shape[1] / ms.shape[1])
    h, w = (min(ms.shape[k], pan.shape[k] // ratio) for k in (1, 2))
    return pan[:, : h * ratio, : w * ratio], ms[:, :h, :w], ratio


def measured_phase(pan: np.ndarray, ms: np.ndarray, sensor: str, ratio: int) -> tuple[float, float]:
    pair = make_pair(pan, ms, sensor)
    windows = [window(pair, *core, 0) for core in partition(pair.size, 128 * ratio)]
    found = register(windows, per_band=False)
    shift = found.shift if found.confident else (0.0, 0.0)
    return tuple(round(((ratio - 1) / 2 + s) * 64) / 64 for s in shift)


def scores(fused, indices, **inputs) -> list[float]:
    found = panflow.assess(fused, indices=list(indices), **inputs)
    return [found[name] for name in indices]


def table(title: str, indices: tuple[str, ...], rows: dict[str, list[float]], seconds: dict[str, float]) -> None:
    print(f"\n{title}\n\n| method | {' | '.join(indices)} | s |\n|{' --- |' * (len(indices) + 2)}")
    lower = [load(name).better == "lower" for name in indices]
    best = [(min if low else max)(column) for low, column in zip(lower, zip(*rows.values()))]
    for method, values in rows.items():
        cells = [f"**{v:.4f}**" if v == b else f"{v:.4f}" for v, b in zip(values, best)]
        print(f"| {method} | {' | '.join(cells)} | {seconds[method]:.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", default=["exp", "brovey", "gsa", "bt_h", "mtf_glp_fs", "mtf_glp_hpm_r"])
    parser.add_argument("--pairs", nargs="+", default=PAIRS)
    parser.add_argument("--only", choices=["reduced", "full"])
    options = parser.parse_args()
    for name in options.pairs:
        folder = options.data / name
        short = name.split("/")[-1]
        sensor = next(s for key, s in SENSORS.items() if short.startswith(key))
        pan, ms, ratio = cut(read(folder / "pan.tif"), read(folder / "ms.tif"))
        known = next((p for key, p in REDUCED.items() if short.startswith(key)), None)
        phase = (known[0],) * 2 if known else measured_phase(pan, ms, sensor, ratio)
        place = {"sensor": sensor, "phase": phase}
        if options.only != "full":
            if known:
                sensor = sensors.load(sensor)
                sensor = sensor.with_gains([known[1]] * len(sensor.bands))
                small = {"pan": pan, "ms": ms, "phase": phase, "reference": read(folder / "reference.tif")}
            else:
                pair = panflow.degrade(pan, ms, **place)
                small = {"pan": pair.pan, "ms": pair.ms, "phase": pair.phase, "reference": pair.reference}
            rows, seconds = {}, {}
            for method in options.methods:
                started = time.perf_counter()
                fused = panflow.sharpen(small["pan"], small["ms"], method=method, sensor=sensor, phase=small["phase"])
                seconds[method] = time.perf_counter() - started
                rows[method] = scores(fused, REFERENCE, reference=small["reference"], sensor=sensor)
            table(f"{short}, reduced resolution", REFERENCE, rows, seconds)
        if options.only != "reduced" and known is None:
            rows, seconds = {}, {}
            for method in options.methods:
                started = time.perf_counter()
                fused = panflow.sharpen(pan, ms, method=method, **place)
                seconds[method] = time.perf_counter() - started
                rows[method] = scores(fused, ALONE, pan=pan, ms=ms, **place)
            at = ", ".join(f"{p:.2f}" for p in phase)
            table(f"{short}, full resolution (phase {at})", ALONE, rows, seconds)


if __name__ == "__main__":
    main()
