"""How well the MTF gain of a scene is estimated: on drawn scenes, whose gain is known, and what real pairs show.

    python benchmarks/mtf.py --data DIR

Drawn scenes are registered and estimated as files are, from 128 x 128 MS pixels. Markdown tables.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from quality import cut, read

from panflow import sensors
from panflow.data import synthetic
from panflow.ops.mtf import registered
from panflow.ops.mtf_estimation import MTFEstimate, estimate_mtf
from panflow.ops.register import register
from panflow.ops.resample import sense
from panflow.ops.window import window, windows
from panflow.pairs import make_pair
from panflow.types import Pair

SETS = [  # sensor, ratio, bands
    ("worldview3", 4.0, (0, 1, 2, 3, 4, 5, 6, 7)),
    ("geoeye1", 4.0, (0, 1, 2, 3)),
    ("geoeye1", 4.0, (2, 1, 0)),
    ("spot6", 3.0, (0, 1, 2, 3)),
    ("worldview2", 3.0, (1, 2, 3, 4, 6)),
    ("landsat8", 2.0, (0, 1, 2, 3, 4, 5)),
    ("worldview3", 2.0, (1, 2, 4, 6)),
    ("ikonos", 4.0, (2, 1, 0)),
]
GAINS = (0.04, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 0.95)
NOISES = (0.001, 0.002, 0.004, 0.008)  # of full scale
SEEDS = (20, 21)


def estimated(pair: Pair) -> MTFEstimate:
    """As of files: registered first, from the same windows."""
    pair = replace(pair, phase=(tuple((r - 1) / 2 for r in pair.ratio),) * pair.bands, reference=None)
    pairs = [window(pair, *core, 0) for core in windows(pair.size, pair.ms_size, pair.ratio)]
    return estimate_mtf(registered(pairs, register(pairs)))


def drawn() -> None:
    print("| sensor | ratio | bands | " + " | ".join(f"noise {100 * noise:g} %" for noise in NOISES) + " |")
    print("|" + " --- |" * (3 + len(NOISES)))
    for name, ratio, bands in SETS:
        sensor = sensors.load(name).select(bands)
        places = [
            synthetic.scene(round(128 * ratio), sensor, seed=s, ratio=ratio, shift=(0.4, -0.7), noise=0) for s in SEEDS
        ]
        cells = []
        for noise in NOISES:
            errors = [_error(place, gain, noise) for place in places for gain in GAINS]
            cells.append(f"{np.mean(np.abs(errors)):.3f}, {np.max(np.abs(errors)):.3f}")
        print(f"| {sensor.title} | {ratio:g} | {len(bands)} | " + " | ".join(cells) + " |", flush=True)


def _error(place: Pair, gain: float, noise: float) -> float:
    rng, top = np.random.default_rng(round(1e4 * gain)), 2**place.sensor.bits - 1
    blurred = replace(place, sensor=place.sensor.with_gains([gain] * place.bands))
    pan, ms = (
        np.clip(x + noise * top * rng.normal(size=x.shape), 1, top)
        for x in (place.pan, sense(place.reference, blurred))
    )
    return estimated(replace(place, pan=pan, ms=ms)).gain - gain


def real(data: Path) -> None:
    print("\n| pair | sensor's | estimated | standard error | PAN explains | confidence |\n|" + " --- |" * 6)
    for folder in sorted({path.parent for path in data.rglob("pan.tif")}):
        if not (folder / "ms.tif").exists():
            continue
        pan, ms, _ = cut(read(folder / "pan.tif"), read(folder / "ms.tif"))
        pan, ms = (np.where((image == 0).all(axis=0), np.nan, image) for image in (pan, ms))
        sensor = next((s for s in sensors.registry.names("sensors") if folder.name.startswith(s)), "generic")
        pair = make_pair(pan, ms, sensor)
        found, own = estimated(pair), pair.sensor.gains
        told = f"{own[0]:.2f}" if min(own) == max(own) else f"{min(own):.2f} to {max(own):.2f}"
        shown = f"{found.gain:.3f} | {found.error:.3f} | {found.coherence:.2f} | {found.confidence:.2f}"
        print(f"| {folder.name} | {told} | {shown} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="A folder of pairs, each with pan.tif and ms.tif.")
    options = parser.parse_args()
    drawn()
    if options.data:
        real(options.data)


if __name__ == "__main__":
    main()
