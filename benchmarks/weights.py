"""What weights of the bands stand for PAN best: all equal, by PAN's spectral response, or fitted.

    python benchmarks/weights.py --data DIR

DIR holds open/ and restricted/ scenes. Prints a Markdown table: the correlation of the weighted bands with the low-pass
PAN at MS scale, and ERGAS of brovey and gs by Wald's protocol with each kind of weights.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

import panflow
from panflow import zoo
from panflow.errors import PanflowError
from panflow.files.product import named
from panflow.methods._weights import Weights, coarse
from panflow.ops.degrade import wald
from panflow.ops.moments import at_ms
from panflow.scene.opening import opened
from panflow.types import Pair

KINDS = ("mean", "sensor", "fit")
SENSORS = ("landsat7", "landsat8", "spot6", "ikonos", "worldview2", "worldview3", "quickbird", "gaofen2")


def pairs(data: Path) -> Iterator[tuple[str, Pair]]:
    """Registered, of scenes of one folder each whose sensor their name tells."""
    for folder in sorted([*data.glob("open/*"), *data.glob("restricted/*")]):
        sensor = folder.name.split("-")[0]
        try:
            scene = named([str(folder)])
        except PanflowError:
            continue
        if sensor in SENSORS:
            with opened(replace(scene, sensor=sensor)) as ready:
                yield folder.name, ready.source.whole()


def correlation(pair: Pair, weights: np.ndarray) -> float:
    cov = at_ms(coarse)(pair).cov[0]
    return float(weights @ cov[:-1, -1] / np.sqrt(weights @ cov[:-1, :-1] @ weights * cov[-1, -1]))


def cells(pair: Pair, reduced: Pair, kind: str) -> list[float]:
    """The correlation, ERGAS of brovey and of gs; nothing where the sensor's weights are not known."""
    gathered = Weights(kind)
    try:
        weights = gathered.value(gathered.coarse(pair))[0]
    except PanflowError:
        return []
    result = [correlation(pair, weights)]
    for method in ("brovey", "gs"):
        fused = zoo.load(method, weights=kind).fit([reduced])(reduced)
        result.append(
            panflow.assess(fused, reference=reduced.reference, indices=["ergas"], sensor=pair.sensor)["ergas"]
        )
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    what = ("correlation", "ERGAS, brovey", "ERGAS, gs")
    print(f"| scene | bands | {' | '.join(f'{name}: {kind}' for name in what for kind in KINDS)} |")
    print(f"| --- | --- |{' --- |' * len(what) * len(KINDS)}")
    for name, pair in pairs(options.data):
        reduced = wald(pair)
        values = [cells(pair, reduced, kind) for kind in KINDS]
        texts = [
            f"{value[k]:.4f}" if value and k == 0 else f"{value[k]:.2f}" if value else "-"
            for k in range(len(what))
            for value in values
        ]
        print(f"| {name} | {pair.bands} | {' | '.join(texts)} |", flush=True)


if __name__ == "__main__":
    main()
