"""Sharpeners on real pairs: reduced resolution by Wald's protocol and full resolution, as Markdown tables.

    python benchmarks/quality.py --data DIR --methods exp bandwise:ms mtf_glp_fs@sensor [--pairs restricted/ikonos ...]

A method may say how sharp its answer is to be (bandwise:ms) and which MTF gains it computes with (@sensor; @auto, the
default: those that the pair shows). Indices at full resolution take the gains that the pair shows for every row.

The phase of every pair is measured (panflow.ops.register), except for the sets that others have reduced, whose phase
is given: that which explains their MS by their reference best; with --known their MTF is given as well. Pairs are
reduced through the sensor's nominal MTF, so that tables stay comparable; methods are not told. The best of
each column is bold; of the detail, what is nearest to 1.
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
SENSORS |= {"worldview3": "worldview3", "quickbird": "quickbird", "landsat8": "landsat8"}
REDUCED = {"quickbird-reduced": (0.0, 0.22), "gaofen2-reduced": (1.5, 0.99)}  # phase and MTF gain of others' sets
PAIRS = [
    "restricted/worldview2", "restricted/worldview3-utm42", "restricted/ikonos", "restricted/spot6-cropland",
    "restricted/quickbird-reduced",
    *(f"restricted/gaofen2-full-{i}" for i in range(5)), *(f"restricted/gaofen2-reduced-{i}" for i in range(5)),
    "open/worldview2-rotterdam-3", "open/landsat8-madrid",
]  # fmt: skip
REFERENCE = ("sam", "ergas", "q2n", "scc")
ALONE = (
    "detail_gain", "detail_correlation", "fine_colour", "r_ergas", "r_sam", "r_q", "d_lambda_k", "d_s", "hqnr", "d_rho",
)  # fmt: skip


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


def nearest_to_one(column: tuple[float, ...]) -> float:
    return min(column, key=lambda value: abs(value - 1))


ORDER = {"detail_gain": nearest_to_one}


def sharpen(method: str, pan: np.ndarray, ms: np.ndarray, **place) -> np.ndarray:
    """By a method as the command line names it: NAME[:DETAIL][@MTF]."""
    name, _, mtf = method.partition("@")
    name, _, detail = name.partition(":")
    return panflow.sharpen(pan, ms, method=name, detail=detail or "pan", mtf=mtf or "auto", **place)


def scores(fused, indices, **inputs) -> list[float]:
    found = panflow.assess(fused, indices=list(indices), **inputs)
    return [found[name] for name in indices]


def table(title: str, indices: tuple[str, ...], rows: dict[str, list[float]], seconds: dict[str, float]) -> None:
    print(f"\n{title}\n\n| method | {' | '.join(indices)} | s |\n|{' --- |' * (len(indices) + 2)}")
    best = [ORDER.get(name, {"lower": min, "higher": max}.get(load(name).better, min))(column)
            for name, column in zip(indices, zip(*rows.values()))]  # fmt: skip
    for method, values in rows.items():
        cells = [f"**{v:.4f}**" if v == b else f"{v:.4f}" for v, b in zip(values, best)]
        print(f"| {method} | {' | '.join(cells)} | {seconds[method]:.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", default=["exp", "brovey", "gsa", "bt_h", "mtf_glp_fs", "mtf_glp_hpm_r"])
    parser.add_argument("--pairs", nargs="+", default=PAIRS)
    parser.add_argument("--known", action="store_true", help="give the MTF of sets that others have reduced")
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
                if options.known:
                    sensor = sensors.load(sensor)
                    sensor = sensor.with_gains([known[1]] * len(sensor.bands))
                small = {"pan": pan, "ms": ms, "phase": phase, "reference": read(folder / "reference.tif")}
            else:
                pair = panflow.degrade(pan, ms, mtf="sensor", **place)
                small = {"pan": pair.pan, "ms": pair.ms, "phase": pair.phase, "reference": pair.reference}
            rows, seconds = {}, {}
            for method in options.methods:
                started = time.perf_counter()
                fused = sharpen(method, small["pan"], small["ms"], sensor=sensor, phase=small["phase"])
                seconds[method] = time.perf_counter() - started
                rows[method] = scores(fused, REFERENCE, reference=small["reference"], sensor=sensor)
            table(f"{short}, reduced resolution", REFERENCE, rows, seconds)
        if options.only != "reduced" and known is None:
            rows, seconds = {}, {}
            for method in options.methods:
                started = time.perf_counter()
                fused = sharpen(method, pan, ms, **place)
                seconds[method] = time.perf_counter() - started
                rows[method] = scores(fused, ALONE, pan=pan, ms=ms, **place)
            at = ", ".join(f"{p:.2f}" for p in phase)
            table(f"{short}, full resolution (phase {at})", ALONE, rows, seconds)


if __name__ == "__main__":
    main()
