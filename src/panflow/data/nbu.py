"""NBU's folders of .mat tiles: MS_256 and PAN_1024 with equal file names, at full resolution."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from scipy.io import loadmat
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad

from panflow.data._tiles import Collection, Tiles, sensor_of
from panflow.errors import InputError, MissingInput
from panflow.ops.degrade import wald
from panflow.registry import closest
from panflow.types import YX, Pair

KEYS = {"MS_256": ("imgMS", "I_MS"), "PAN_1024": ("imgPAN", "I_PAN", "block")}
PARTS = {"train": (0, 70), "val": (70, 80), "test": (80, 100)}  # percent of the names, in seeded order
SEED = 42


def load(collection: Collection, root: Path) -> Tiles:
    """The tiles of a sensor's folder, in memory: "train" and "val" reduced, their MS being the reference; "test" and
    "all" as they are.

    The published split is a list for each sensor; give it as `split`, a file of names, or take ours, which is seeded.
    Raises MissingInput where files are absent, InputError where they hold something else.
    """
    folder = root / collection.path
    names = _chosen(folder, collection, root)
    images = {kind: [_image(folder / kind / name, kind) for name in names] for kind in KEYS}
    sensor = sensor_of(collection, len(images["MS_256"][0]))
    ratio = _ratio(images)
    chosen = list(collection.bands) or slice(None)
    ms = [image[chosen] for image in images["MS_256"]]
    pan = images["PAN_1024"]
    corner = ((ratio - 1) / 2,) * 2
    if collection.part not in ("train", "val"):
        return Tiles(pan, ms, None, sensor, (ratio, ratio), corner)
    reduce = REDUCTIONS[closest("reduction", collection.reduction, tuple(REDUCTIONS))]
    pairs = [reduce(Pair(_batch(p), _batch(m), (ratio, ratio), (corner,) * len(m), sensor)) for p, m in zip(pan, ms)]
    reduced_pan = [pair.pan[0].numpy() for pair in pairs]
    reduced_ms = [pair.ms[0].numpy() for pair in pairs]
    return Tiles(reduced_pan, reduced_ms, ms, sensor, pairs[0].ratio, pairs[0].common_phase)


def _batch(image: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))[None]


def _chosen(folder: Path, collection: Collection, root: Path) -> list[str]:
    """File names of the part; sorted as text, then in seeded order."""
    if not (folder / "MS_256").is_dir():
        raise MissingInput(f"no folder {folder / 'MS_256'}: give --data, the folder of the collection (data.root)")
    names = sorted(path.name for path in (folder / "MS_256").glob("*.mat"))
    if collection.split:
        return [f"{name.removesuffix('.mat')}.mat" for name in (root / collection.split).read_text("utf-8").split()]
    if collection.part == "all":
        return names
    low, high = PARTS[closest("part", collection.part, tuple(PARTS))]
    order = np.random.default_rng(SEED).permutation(len(names))
    return [names[k] for k in order[low * len(names) // 100 : high * len(names) // 100]]


def _image(path: Path, kind: str) -> np.ndarray:
    """[C, H, W]"""
    if not path.is_file():
        raise MissingInput(f"no {path}: every tile needs a file of that name in {' and '.join(KEYS)}")
    values = loadmat(path)
    keys = [key for key in KEYS[kind] if key in values]
    if not keys:
        there = ", ".join(key for key in values if not key.startswith("__"))
        raise InputError(f"{path} holds {there}: expected one of {', '.join(KEYS[kind])}")
    image = np.asarray(values[keys[0]])
    return image[None] if image.ndim == 2 else np.moveaxis(image, 2, 0)


def _ratio(images: dict[str, list[np.ndarray]]) -> float:
    return images["PAN_1024"][0].shape[-1] / images["MS_256"][0].shape[-1]


def unipan(pair: Pair) -> Pair:
    """The reduction of UniPAN's code: Gaussian 3 x 3 of sigma 1.5, then bicubic with aligned corners, for MS and PAN
    alike; neither an MTF nor antialiasing [unipan].

    Aligned corners make the ratio (H - 1) / (h - 1) and the phase 0, as in the pair.
    """
    taps = torch.exp(-0.5 * (torch.arange(-1, 2) / 1.5) ** 2)
    kernel = torch.outer(taps, taps) / taps.sum() ** 2

    def reduced(image: Tensor) -> Tensor:
        bands = image.shape[1]
        smooth = conv2d(pad(image, (1,) * 4, "reflect"), kernel.expand(bands, 1, 3, 3), groups=bands)
        size = [round(n / r) for n, r in zip(image.shape[-2:], pair.ratio)]
        return interpolate(smooth, size=size, mode="bicubic", align_corners=True)

    pan, ms = reduced(pair.pan), reduced(pair.ms)
    ratio: YX = tuple((a - 1) / (b - 1) for a, b in zip(pan.shape[-2:], ms.shape[-2:]))  # type: ignore[assignment]
    return Pair(pan, ms, ratio, ((0.0, 0.0),) * pair.bands, pair.sensor, reference=pair.ms)


REDUCTIONS = {"wald": wald, "unipan": unipan}
