"""Held pairs: reduced by Wald's protocol, sharpened, compared with the truth, drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from panflow.arrays import namespace, to_numpy
from panflow.assessment import assess
from panflow.data import _tiles, geotiff
from panflow.errors import InputError, MissingInput
from panflow.files.output import folder
from panflow.ops.degrade import wald
from panflow.ops.resample import ms_up
from panflow.pairs import make_pair, with_validity
from panflow.pictures import picture
from panflow.pictures.composite import GAMMA, composite
from panflow.training.recipe import Validation
from panflow.types import Array, Pair, Sensor, Sharpener

Held = Mapping[str, Sequence[Pair]]  # pairs by the name of their folder or collection


def load(options: Validation, data: str) -> Held:
    """What the recipe holds out; data: the folder of its images. Raises MissingInput where one is absent."""
    root = Path(options.root or data)
    pairs: dict[str, list[Pair]] = {}
    for held in options.pairs:
        folder = root / held.folder
        for path in (folder / "pan.tif", folder / "ms.tif"):
            if not path.is_file():
                raise MissingInput(f"no {path}: give --data (validation.root), or leave it out of validation.pairs")
        pan, ms = (geotiff.read([folder / name]) for name in ("pan.tif", "ms.tif"))
        pair = make_pair(pan.bands, ms.bands, held.sensor, held.phase, double=False)
        masks = (None if x.valid.all() else x.valid[None, None] for x in (pan, ms))
        pairs[folder.name] = [wald(with_validity(pair, *masks))]
    for collection in options.collections:
        tiles = _tiles.load(collection, root)
        pairs[Path(collection.path).stem] = [tiles.pair([k]) for k in range(min(options.count, len(tiles)))]
    return pairs


def scores(fused: Array, pair: Pair) -> dict[str, float]:
    """SAM in degrees and ERGAS, over the pixels that are valid."""
    if pair.reference is None:
        raise InputError("a held pair has no reference to compare with: take the part of the collection that has one")
    if pair.pan_valid is not None:
        xp = namespace(fused)
        fused = xp.where(pair.pan_valid, fused, xp.full_like(fused, float("nan")))
    sensor = replace(pair.sensor, ratio=pair.ratio[0])
    return assess(fused, reference=pair.reference, indices=("sam", "ergas"), sensor=sensor)


def validate(sharpener: Sharpener, held: Held, pictures: Path | None = None) -> dict[str, dict[str, float]]:
    """Mean scores by name; `pictures`: a folder that gets ms_up, fused and reference of each first pair."""
    means = {}
    for name, pairs in held.items():
        each = []
        for k, pair in enumerate(pairs):
            fused = sharpener.fit([pair])(pair)
            each.append(scores(fused, pair))
            if pictures is not None and k == 0:
                _picture(folder(pictures) / f"{name}.png", [ms_up(pair), fused, pair.reference], pair.sensor)
        means[name] = {index: float(np.mean([one[index] for one in each])) for index in each[0]}
    return means


def _picture(path: Path, images: Sequence[Array], sensor: Sensor, side: int = 320) -> None:
    """The upper left corners side by side, stretched as the last one."""
    crops = [to_numpy(image)[0, list(composite(sensor.bands)), :side, :side] for image in images]
    limits = picture.limits(crops[-1:])
    joined = np.concatenate([picture.stretch(crop, limits, GAMMA) for crop in crops], axis=-1)
    colors = np.broadcast_to(joined, (3, *joined.shape[1:]))
    picture.save(Image.fromarray(np.moveaxis(colors, 0, -1).copy()), path)
