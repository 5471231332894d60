"""What the report has of a result beside numbers: the image as a picture, and the map of where it is good."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from panflow.arrays import to_numpy
from panflow.bench.images import Image
from panflow.bench.ledger import key
from panflow.errors import InputError
from panflow.files import output
from panflow.indices import hqnr
from panflow.indices._case import Case
from panflow.ops.resample import ms_up
from panflow.pictures import picture
from panflow.pictures.composite import GAMMA, composite
from panflow.types import Array

SIDE = 512  # pixels of a picture at most: the middle of larger images


def save(folder: Path, name: str, image: Image, case: Case) -> None:
    """pictures/NAME.npz with `picture` [h, w, 3] in uint8 and `map` [h, w] in float16: the error (mean over bands of
    the absolute difference from the reference, in parts of full scale) or HQNR. The inputs go into another file."""
    output.folder(folder / "pictures")
    pair = case.pair
    inside = _middle(pair.size)
    base = ms_up(pair) if pair.reference is None else pair.reference
    bands = composite(pair.sensor.bands)
    limits = picture.limits([_chosen(base, bands, inside)])
    error = pair.reference is not None
    values = abs(case.fused - pair.reference).mean(1) if error else hqnr.Index().map(case)
    values = to_numpy(values)[0][inside]
    if error:
        values = values / (2**pair.sensor.bits - 1)
    _write(folder, name, picture=_coloured(case.fused, bands, inside, limits), map=values.astype(np.float16))
    inputs = source(image.data, image.name, image.protocol)
    if (folder / "pictures" / f"{inputs}.npz").is_file():
        return
    pan_limits = picture.limits([_chosen(pair.pan, (0,), inside)])
    pictures = {
        "PAN": _coloured(pair.pan, (0,), inside, pan_limits),
        "MS, interpolated": _coloured(ms_up(pair), bands, inside, limits),
    }
    if error:
        pictures["reference"] = _coloured(pair.reference, bands, inside, limits)
    _write(folder, inputs, **pictures)


def source(data: str, image: str, protocol: str) -> str:
    """The name under which an image's inputs are saved."""
    return f"inputs-{key(data, image, protocol)[:8]}"


def load(folder: Path, name: str) -> dict[str, np.ndarray]:
    """What was saved under a name; nothing where nothing was. InputError where it cannot be read."""
    path = folder / "pictures" / f"{name}.npz"
    if not path.is_file():
        return {}
    try:
        with np.load(path) as file:
            return dict(file)
    except (OSError, ValueError, EOFError, KeyError, BadZipFile, zlib.error) as error:
        raise InputError(
            f"{path} is broken ({output.reason(error)}): delete it and its line in results.jsonl"
        ) from None


def _middle(size: tuple[int, int]) -> tuple[slice, slice]:
    starts = [max(0, n - SIDE) // 2 for n in size]
    rows, columns = (slice(start, start + SIDE) for start in starts)
    return rows, columns


def _chosen(image: Array, bands: tuple[int, ...], inside: tuple[slice, slice]) -> np.ndarray:
    return to_numpy(image)[0, list(bands)][(..., *inside)]


def _coloured(image: Array, bands: tuple[int, ...], inside: tuple[slice, slice], limits: np.ndarray) -> np.ndarray:
    stretched = picture.stretch(_chosen(image, bands, inside), limits, GAMMA)
    return np.moveaxis(np.broadcast_to(stretched, (3, *stretched.shape[1:])), 0, -1)


def _write(folder: Path, name: str, **arrays: Any) -> None:
    data = io.BytesIO()
    np.savez_compressed(data, **arrays)
    output.write(folder / "pictures" / f"{name}.npz", data.getbuffer())
