"""Verdicts on real pairs, and on pairs broken on purpose: right and wrong calls, as Markdown tables.

    python benchmarks/verdicts.py --data DIR

Real pairs are taken as they are; aerial and Landsat images without PAN give pairs of one date by Wald's protocol, whose
other dates are broken pairs. A pair is broken in MS, or PAN, on the way to the file that panflow opens. The halves
are every second place.
"""

import argparse
import logging
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import rasterio
from scipy import ndimage

from panflow import registry
from panflow.files.scene import Scene
from panflow.scene.opening import opened
from panflow.scene.verdict import BAD, DOUBTFUL, GOOD, verdict

REAL = "as they are"
RESTRICTED = [
    "worldview2", "worldview3-utm42", "ikonos", "spot6-cropland", "quickbird-reduced",
    *(f"gaofen2-full-{k}" for k in range(5)), *(f"gaofen2-reduced-{k}" for k in range(5)),
]  # fmt: skip
OPEN = [
    "worldview2-rotterdam-1",
    "worldview2-rotterdam-2",
    "worldview2-rotterdam-3",
    "landsat8-madrid",
    "landsat8-pamplona",
]
LANDSAT = ["landsat7-marburg", "landsat8-marburg", "landsat8-elkton", "landsat8-gulf-coast", "landsat8-liverpool"]
LANDSAT += ["landsat8-momotombo"]


@dataclass(frozen=True)
class Place:
    """PAN [H, W] and MS [C, h, w] in counts, nan for nodata, the first centre of MS on PAN, and the sensor."""

    name: str
    pan: np.ndarray
    ms: np.ndarray
    phase: tuple[float, float]
    sensor: str = "auto"
    nodata: float | None = None
    dtype: str = "uint16"

    @property
    def ratio(self) -> tuple[float, float]:
        return tuple(
            p / m if abs(p / m - round(p / m)) > 0.1 else round(p / m)
            for p, m in zip(self.pan.shape, self.ms.shape[1:])
        )


def write(path: Path, image: np.ndarray, transform: rasterio.Affine, dtype: str, nodata: float | None) -> Path:
    profile = {"driver": "GTiff", "height": image.shape[-2], "width": image.shape[-1], "count": len(image)}
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        image = np.clip(np.rint(np.nan_to_num(image)), np.iinfo(kind).min, np.iinfo(kind).max)
    with rasterio.open(path, "w", **profile, dtype=dtype, crs="EPSG:32631", transform=transform, nodata=nodata) as f:
        f.write(image.astype(dtype))
    return path


def files(place: Place, folder: Path) -> tuple[Path, Path]:
    """PAN and MS of a place, as georeferenced files."""
    (y, x), (ry, rx) = place.phase, place.ratio
    fine = rasterio.Affine(1, 0, 500000, 0, -1, 5e6)
    coarse = fine * rasterio.Affine.translation(x + 0.5 - rx / 2, y + 0.5 - ry / 2) * rasterio.Affine.scale(rx, ry)
    pan = write(folder / "pan.tif", place.pan[None], fine, place.dtype, place.nodata)
    return pan, write(folder / "ms.tif", place.ms, coarse, place.dtype, place.nodata)


def read(*paths: Path) -> tuple[np.ndarray, str, float | None]:
    images = []
    for path in paths:
        with rasterio.open(path) as dataset:
            images.append(dataset.read().astype(float))
            dtype, nodata = dataset.dtypes[0], dataset.nodata
    return np.concatenate(images), dtype, nodata


def real(data: Path) -> Iterator[tuple[str, Path, list[Path], str]]:
    """Name, PAN, MS files and sensor of the pairs at hand."""
    for name in [*(f"restricted/{n}" for n in RESTRICTED), *(f"open/{n}" for n in OPEN)]:
        folder = data / name
        if (folder / "pan.tif").exists():
            yield folder.name, folder / "pan.tif", [folder / "ms.tif"], _sensor(folder.name)
    for name in LANDSAT:
        bands = sorted(p for p in (data / "open" / name).glob("*") if p.suffix.lower() in (".tif", ".tiff"))
        ms = [p for p in bands if re.search("B[2-7]" if "landsat8" in name else "B[1-57]", p.name)]
        if ms:
            yield name, next(p for p in bands if "B8" in p.name), ms, _sensor(name)


def _sensor(name: str) -> str:
    return next((s for s in registry.names("sensors") if name.startswith(s)), "auto")


def loaded(name: str, pan: Path, ms: list[Path], sensor: str) -> Place:
    """At most 160 x 160 MS pixels, for breaking; nodata filled by the median."""
    (fine, dtype, nodata), (coarse, _, _) = read(pan), read(*ms)
    ratio = [round(p / m) for p, m in zip(fine.shape[1:], coarse.shape[1:])]
    h, w = (min(160, m, p // r) for m, p, r in zip(coarse.shape[1:], fine.shape[1:], ratio))
    images = [fine[:, : h * ratio[0], : w * ratio[1]], coarse[:, :h, :w]]
    images = [np.where(x == nodata, np.median(x), x) if nodata is not None else x for x in images]
    phase = (0.0, 0.0) if "landsat" in name else tuple((r - 1) / 2 for r in ratio)
    return Place(name, images[0][0], images[1], phase, sensor, None, dtype)


def reduced(image: np.ndarray, ratio: int, gain: float = 0.3) -> np.ndarray:
    """Seen more coarsely by a Gaussian of a gain at the new Nyquist frequency."""
    sigma = ratio * np.sqrt(-2 * np.log(gain)) / np.pi
    smooth = np.stack([ndimage.gaussian_filter(band, sigma) for band in image])
    block = [n // ratio * ratio for n in image.shape[1:]]
    offset = (ratio - 1) / 2
    grid = np.meshgrid(*(np.arange(offset, n, ratio) for n in block), indexing="ij")
    return np.stack([ndimage.map_coordinates(band, grid, order=3, mode="nearest") for band in smooth])


def dates(data: Path) -> Iterator[list[Place]]:
    """Of one place: pairs of several dates made of images without PAN, whose PAN is the mix of bands."""
    series = [(sorted((data / "open/naip-5m").glob("*.tif"))[::2], 4, (0.3, 0.35, 0.3, 0.05), "uint8")]
    landsat = [
        sorted((data / f"open/landsat-ms-only-218074-{d}").glob("*_B[2-5].TIF")) for d in ("20190114", "20190130")
    ]
    made = []
    for paths, ratio, mix, dtype in series:
        for path in paths:
            image = read(path)[0][:4, :720, :928]
            made.append(_wald(f"naip-{path.stem[-8:]}", image, ratio, mix, dtype))
    if made:
        yield made
    if all(landsat):
        names = ("landsat-0114", "landsat-0130")
        yield [_wald(n, read(*paths)[0], 2, (0.3, 0.4, 0.3, 0.0), "uint16") for n, paths in zip(names, landsat)]


def _wald(name: str, image: np.ndarray, ratio: int, mix: tuple[float, ...], dtype: str) -> Place:
    h, w = (n // ratio * ratio for n in image.shape[1:])
    image = image[:, :h, :w]
    return Place(name, np.tensordot(mix, image, 1), reduced(image, ratio), ((ratio - 1) / 2,) * 2, dtype=dtype)


def moved(ms: np.ndarray, dy: np.ndarray, dx: np.ndarray) -> np.ndarray:
    """MS displaced by MS pixels, numbers or an array of them."""
    rows, columns = np.meshgrid(*(np.arange(n, dtype=float) for n in ms.shape[1:]), indexing="ij")
    return np.stack(
        [ndimage.map_coordinates(np.nan_to_num(b), [rows + dy, columns + dx], order=3, mode="mirror") for b in ms]
    )


def shifted(by: float):
    return lambda p: {"ms": moved(p.ms, by / p.ratio[0], -by / p.ratio[1])}


def waves(p: Place) -> dict:
    rows, columns = np.meshgrid(*(np.arange(n) / n for n in p.ms.shape[1:]), indexing="ij")
    return {"ms": moved(p.ms, 1.5 * np.sin(7 * columns), 1.5 * np.cos(6 * rows))}


def turned(degrees: float):
    def turn(p: Place) -> dict:
        rows, columns = np.meshgrid(*(np.arange(n) - n / 2 for n in p.ms.shape[1:]), indexing="ij")
        a = np.deg2rad(degrees)
        return {
            "ms": moved(
                p.ms, rows * (np.cos(a) - 1) - columns * np.sin(a), rows * np.sin(a) + columns * (np.cos(a) - 1)
            )
        }

    return turn


def swapped(one: int, other: int):
    def swap(p: Place) -> dict:
        order = list(range(len(p.ms)))
        order[one], order[other] = order[other], order[one]
        return {"ms": p.ms[order]}

    return swap


def blurred(sigma: float):
    return lambda p: {"ms": np.stack([ndimage.gaussian_filter(b, sigma) for b in p.ms])}


def upscaled(factor: int, order: int):
    def up(p: Place) -> dict:
        low = reduced(p.ms, factor, 0.3)
        grid = np.meshgrid(*((np.arange(n) - (factor - 1) / 2) / factor for n in p.ms.shape[1:]), indexing="ij")
        return {"ms": np.stack([ndimage.map_coordinates(b, grid, order=order, mode="nearest") for b in low])}

    return up


def stretched(p: Place) -> dict:
    low, high = np.nanquantile(p.ms, [0.02, 0.98], axis=(1, 2))[..., None, None]
    return {"ms": np.clip((p.ms - low) / (high - low), 0, 1) ** 0.45 * 200 + 20}


def decibels(p: Place) -> dict:
    return {"ms": 1000 * np.log10(np.maximum(p.ms, 1e-3 * np.nanmax(p.ms)) / np.nanmax(p.ms) * 1e4)}


def reflectance(p: Place) -> dict:
    return {"ms": (p.ms / np.nanmax(p.ms)).astype(np.float32), "dtype": "float32"}


def clouded(image: str):
    def cloud(p: Place) -> dict:
        plane = getattr(p, image)
        shape = plane.shape[-2:]
        rng = np.random.default_rng(7)
        field = ndimage.gaussian_filter(rng.normal(size=shape), [n / 12 for n in shape])
        field = (field - np.median(field)) / field.std()
        opaque = np.clip(field / 0.5 + 0.5, 0, 1)
        top = np.nanquantile(plane, 0.995) * (1 + 0.1 * ndimage.gaussian_filter(rng.normal(size=shape), 3))
        return {image: plane * (1 - opaque) + top * opaque}

    return cloud


def saturated(image: str):
    def clip(p: Place) -> dict:
        plane = getattr(p, image)
        return {image: np.minimum(plane, np.floor(np.nanquantile(plane, 0.6)))}

    return clip


def mirrored(p: Place) -> dict:
    return {"ms": p.ms[:, :, ::-1]}


BREAKS: dict[str, tuple[Callable[[Place], dict], tuple[str, ...]]] = {  # how, the right verdicts
    "other place: mirrored MS": (mirrored, (BAD,)),
    "shifted by 2 PAN pixels": (shifted(2), (GOOD,)),
    "shifted by 40 PAN pixels": (shifted(40), (BAD,)),
    "turned by 4 degrees": (turned(4), (DOUBTFUL, BAD)),
    "warped by waves of 1.5 MS pixels": (waves, (DOUBTFUL, BAD)),
    "first and last band swapped": (swapped(0, -1), (DOUBTFUL, BAD)),
    "blurred by 1.5 MS pixels": (blurred(1.5), (DOUBTFUL, BAD)),
    "blurred by 3 MS pixels": (blurred(3), (DOUBTFUL, BAD)),
    "upscaled by 2, cubic": (upscaled(2, 3), (DOUBTFUL, BAD)),
    "upscaled by 4, linear": (upscaled(4, 1), (DOUBTFUL, BAD)),
    "upscaled by 2, nearest": (upscaled(2, 0), (DOUBTFUL, BAD)),
    "stretched to 8 bit, gamma 0.45": (stretched, (DOUBTFUL, BAD)),
    "MS in reflectance, PAN in counts": (reflectance, (GOOD,)),
    "MS in decibels": (decibels, (DOUBTFUL, BAD)),
    "cloud over half of MS": (clouded("ms"), (DOUBTFUL, BAD)),
    "cloud over half of PAN": (clouded("pan"), (DOUBTFUL, BAD)),
    "PAN saturated, 40 %": (saturated("pan"), (DOUBTFUL, BAD)),
    "MS saturated, 40 %": (saturated("ms"), (DOUBTFUL, BAD)),
}


def other_dates(data: Path) -> Iterator[tuple[Place, Place]]:
    """A pair of one date, and its PAN with the MS of the next."""
    for series in dates(data):
        for one, other in zip(series, [*series[1:], series[0]]):
            h, w = (min(sizes) for sizes in zip(one.ms.shape[1:], other.ms.shape[1:]))
            r = one.ratio[0]
            yield one, replace(one, pan=one.pan[: h * r, : w * r], ms=other.ms[:, :h, :w])


Call = tuple[str, str, tuple[str, ...], str, str]  # kind, place, right verdicts, verdict, reasons


def calls(data: Path) -> Iterator[tuple[Call, float, float]]:
    """Every verdict, the seconds of opening, and those of the verdict."""
    pairs = list(real(data))
    for name, pan, ms, sensor in pairs:
        yield _call(REAL, name, (GOOD,), pan, ms, sensor)
    with tempfile.TemporaryDirectory() as tmp:
        for place, broken in other_dates(data):
            yield _called(REAL, place, (GOOD,), tmp)
            yield _called("PAN and MS of two dates", broken, (BAD, DOUBTFUL), tmp)
        for i, pair in enumerate(pairs):
            place = loaded(*pair)
            for j, (kind, (how, right)) in enumerate(BREAKS.items()):
                if (i + j) % 5 == 0 and min(place.ms.shape[1:]) > 60:
                    yield _called(kind, replace(place, **how(place)), right, tmp)


def _called(kind: str, place: Place, right: tuple[str, ...], folder: str) -> tuple[Call, float, float]:
    pan, ms = files(place, Path(folder))
    return _call(kind, place.name, right, pan, [ms], place.sensor)


def _call(
    kind: str, name: str, right: tuple[str, ...], pan: Path, ms: list[Path], sensor: str
) -> tuple[Call, float, float]:
    """As `panflow sharpen` opens and judges them."""
    started = time.perf_counter()
    with opened(Scene.of(pan, ms, sensor=sensor), 2) as ready:
        between = time.perf_counter()
        judged = verdict(ready)
        done = time.perf_counter()
    return (kind, name, right, judged.word, "; ".join(judged.reasons)), between - started, done - between


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    warnings.simplefilter("ignore")
    logging.getLogger("rasterio").setLevel(logging.CRITICAL)
    measured = []
    for call, *seconds in calls(parser.parse_args().data):
        print(*call, *seconds, file=sys.stderr, flush=True)
        measured.append((call, *seconds))
    results, opening, judging = zip(*measured)
    names = sorted({name for _, name, *_ in results})
    halves = {name: k % 2 for k, name in enumerate(names)}
    print("| pair | half 1: right | of | half 2: right | of |\n|" + " --- |" * 5)
    for kind in [*dict.fromkeys(kind for kind, *_ in results), ""]:
        rows = [r for r in results if r[0] == kind or (not kind and r[0] != REAL)]
        cells = []
        for half in (0, 1):
            mine = [word in right for _, name, right, word, _ in rows if halves[name] == half]
            cells += [str(sum(mine)), str(len(mine))]
        print(f"| {kind or 'all that are broken'} | " + " | ".join(cells) + " |")
    print("\nWrong calls:\n\n| pair | place | expected | verdict | reasons |\n|" + " --- |" * 5)
    for kind, name, right, word, why in results:
        if word not in right:
            print(f"| {kind} | {name} | {' or '.join(right)} | {word} | {why} |")
    took = f"{sum(judging):.1f} s beside {sum(opening):.1f} s of opening and registering"
    print(f"\n{len(results)} verdicts took {took}.")


if __name__ == "__main__":
    main()
