"""The images of a plan: pairs in float64, reduced with their reference or at full resolution."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from panflow import sensors
from panflow.bench.plan import PROTOCOLS, Data, Plan, essence
from panflow.data import _tiles, geotiff, synthetic
from panflow.data._tiles import Collection, Tiles
from panflow.data.observed import Optics, observe
from panflow.errors import InputError, MissingInput, needing
from panflow.files import output
from panflow.ops.degrade import wald
from panflow.ops.resample import sense
from panflow.pairs import doubled, make_pair, with_validity
from panflow.types import Pair

Make = Callable[[], Pair]
UNSEEN = 10_000  # added to the seeds of drawn scenes that are learned from, so that none of them is measured
LAYOUTS = {
    "pancollection": "PanCollection's files: train_wv3.h5, test_wv3_multiExm1.h5 (reduced) and "
    "test_wv3_OrigScale_multiExm1.h5 (full), likewise for gf2 and qb",
    "nbu": 'NBU\'s folders "1 IKONOS", "2 QuickBird", "3 Gaofen-1", "4 WorldView-4", "5 WorldView-2", "6 WorldView-3", '
    "each with MS_256/*.mat and PAN_1024/*.mat of equal file names",
}


@dataclass(frozen=True, eq=False)
class Image:
    """An image of a plan's data; `make` answers with its pair in float64, which has a reference where the protocol is
    "reduced", and none where it is "full". spec: what the pair depends on."""

    data: str
    name: str
    number: int
    protocol: str
    spec: list[Any]
    make: Callable[[], Pair]


def load(data: Data, root: Path, seed: int) -> Iterator[Image]:
    """The images of a set, each under every protocol. Raises MissingInput where there are none, and says the layout."""
    same = replace(data, name="", count=0, protocols=PROTOCOLS)
    for number, (name, make) in enumerate(_pairs(data, root, seed)):
        if data.count and number >= data.count:
            return
        for protocol in data.protocols:
            spec = [essence(same), name, protocol, seed]
            yield Image(data.name, name, number, protocol, spec, partial(_under, protocol, make))


@lru_cache(2)
def _cached(make: Make) -> Pair:
    """Of the last images, so that one is read once for both protocols."""
    return make()


def _under(protocol: str, make: Make) -> Pair:
    pair = _cached(make)
    if protocol == "full":
        return replace(pair, reference=None)
    if protocol == "full-scale" and pair.reference is None:
        raise InputError("the protocol full-scale is of data whose optics are given")
    return pair if pair.reference is not None else wald(pair)


def _pairs(data: Data, root: Path, seed: int) -> Iterator[tuple[str, Make]]:
    if data.collection:
        yield from _collection(data.collection, root)
    elif data.optics:
        for number in range(data.count or 1):
            yield f"scene {number}", partial(_observed, data, root, data.optics, seed + number)
    elif data.folder:
        yield from _folder(data, root)
    else:
        for number in range(data.count or 1):
            yield f"scene {number}", partial(_scene, data, seed + number)


def _scene(data: Data, seed: int) -> Pair:
    """A drawn pair as a sensor would deliver it, without its truth."""
    sensor = sensors.load(data.sensor)
    pair = doubled(replace(synthetic.scene(data.size, sensor, seed=seed), reference=None))
    chosen = list(data.bands) or list(range(pair.bands))
    sensor = sensors.select(sensor, chosen)
    return replace(pair, ms=pair.ms[:, chosen], sensor=sensor, phase=tuple(pair.phase[k] for k in chosen))


def _observed(data: Data, root: Path, optics: Optics, seed: int) -> Pair:
    """A pair with its truth at PAN's resolution: a drawn scene, or a window of a file, PAN the mean of its bands."""
    sensor = sensors.load(data.sensor)
    if not data.truth:
        return doubled(observe(synthetic.scene(data.size, sensor, seed=seed, noise=0.0), optics, seed))
    path = root / data.truth
    if not path.is_file():
        raise MissingInput(f"no {path}: --data DIR is the folder below which the plan finds its images")
    bands = _f64(geotiff.read([path]).bands)[:, : data.size, : data.size]
    sensor = sensors.fit_bands(sensor, len(bands))
    bands = bands * (0.9 * (2**sensor.bits - 1) / bands.max())
    height, width = (n - n % round(sensor.ratio) for n in bands.shape[1:])
    bands = bands[None, :, :height, :width]
    pair = make_pair(bands[0].mean(0), bands[0, :, :: round(sensor.ratio), :: round(sensor.ratio)], sensor, "corner")
    return observe(replace(pair, reference=bands), optics, seed)


def _collection(options: Collection, root: Path) -> Iterator[tuple[str, Make]]:
    try:
        tiles = _tiles.load(options, root)
    except MissingInput as error:
        raise MissingInput(
            f"{error}. --data DIR is the folder where the plan finds {LAYOUTS[options.format]}; --rehearse runs it "
            "on other data"
        ) from None
    for number in range(len(tiles)):
        yield f"tile {number}", partial(_tile, tiles, number)


def _tile(tiles: Tiles, number: int) -> Pair:
    return doubled(tiles.pair([number]))


def _read(folder: Path) -> dict[str, geotiff.Image]:
    paths = {name: folder / f"{name}.tif" for name in ("pan", "ms", "reference")}
    for name in ("pan", "ms"):
        if not paths[name].is_file():
            raise MissingInput(f"no {paths[name]}: --data DIR is the folder below which the plan finds its images")
    return {name: geotiff.read([path]) for name, path in paths.items() if path.is_file()}


def _folder(data: Data, root: Path) -> Iterator[tuple[str, Make]]:
    """The tiles of a folder's window; a reference is kept where the set has one and the image is not cut."""
    images = _read(root / data.folder)
    if "reference" in images and (data.tile or any(data.window)):
        raise InputError(f"{data.name}: a folder with a reference is taken whole, without window and tile")
    top, left, height, width = _window(data.window, images["ms"].valid.shape)
    side = data.tile or max(height, width)
    step = data.step or side
    for y in range(top, top + height - min(side, height) + 1, step):
        for x in range(left, left + width - min(side, width) + 1, step):
            cut = (y, x, min(side, height), min(side, width))
            yield f"{Path(data.folder).name} {y},{x}", partial(_part, data, images, cut)


def _part(data: Data, images: dict[str, geotiff.Image], window: tuple[int, int, int, int]) -> Pair:
    cut = _cut(images, window)
    pan, ms = cut["pan"], cut["ms"]
    chosen = list(data.bands) or list(range(len(ms.bands)))
    sensor = sensors.select(sensors.fit_bands(sensors.load(data.sensor), len(ms.bands)), chosen)
    pair = make_pair(_f64(pan.bands), _f64(ms.bands[chosen]), sensor, data.phase, arithmetic=data.arithmetic)
    masks = (None if image.valid.all() else image.valid[None, None] for image in (pan, ms))
    pair = with_validity(pair, *masks)
    if "reference" in cut:
        pair = replace(pair, reference=_f64(cut["reference"].bands[chosen])[None])
    return pair


def _f64(image: Any) -> np.ndarray:
    return np.asarray(image, dtype=np.float64)


def _window(window: tuple[int, int, int, int], size: tuple[int, ...]) -> tuple[int, int, int, int]:
    top, left, height, width = window
    return top, left, height or size[0] - top, width or size[1] - left


def _cut(images: dict[str, geotiff.Image], window: tuple[int, int, int, int]) -> dict[str, geotiff.Image]:
    """A window of MS pixels out of every image, which share their corners."""
    top, left, height, width = window
    coarse = images["ms"].valid.shape
    parts = {}
    for name, image in images.items():
        y, x = (round(a / b) for a, b in zip(image.valid.shape, coarse))
        inside = (..., slice(top * y, (top + height) * y), slice(left * x, (left + width) * x))
        parts[name] = replace(image, bands=image.bands[inside], valid=image.valid[inside])
    return parts


def write_ground(plan: Plan, root: Path, folder: Path) -> None:
    """The plan's ground, reduced, as files like PanCollection's: pan, ms and gt [N, C, H, W], phase r / 2."""
    output.folder(folder)
    for name in dict.fromkeys(data.name for data in plan.ground):
        if (folder / f"{name}.h5").is_file():
            continue
        sets = [replace(data, protocols=("reduced",)) for data in plan.ground if data.name == name]
        pairs = [_at_half(image.make()) for data in sets for image in load(data, root, plan.seed + UNSEEN)]
        data = BytesIO()
        with needing("the plan's ground"):
            import h5py
        with h5py.File(data, "w") as file:
            planes = {"pan": [p.pan for p in pairs], "ms": [p.ms for p in pairs], "gt": [p.reference for p in pairs]}
            for key, images in planes.items():
                file[key] = np.concatenate(images).astype(np.float32)
        output.write(folder / f"{name}.h5", data.getbuffer())


def _at_half(pair: Pair) -> Pair:
    """The reduced pair with MS sampled at phase r / 2, as PanCollection's readers take it to be."""
    y, x = pair.ratio
    moved = replace(pair, phase=((y / 2, x / 2),) * pair.bands)
    return replace(moved, ms=sense(pair.reference, moved))
