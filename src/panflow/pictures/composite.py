"""What of an image is worth showing, and in which colours."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np

from panflow.pictures import picture
from panflow.types import Band

RGB = (660.0, 560.0, 480.0)  # nm
NEAR = 60.0  # nm within which a band passes for red, green or blue
GAMMA = 1.5  # few bright roofs or clouds set white; the rest is lifted out of the dark
FLAT = 0.2  # of the texture of the richest detail: what has less is not worth showing


def composite(bands: Sequence[Band]) -> tuple[int, ...]:
    """The indices of the bands shown as red, green and blue; one index where the image is shown in grey.

    By name; else the bands nearest to 660, 560 and 480 nm where each colour has one; else as bands without a name
    usually come: blue, green, red, NIR where there are more than three, red, green, blue where there are three.
    """
    names = [band.name for band in bands]
    if {"red", "green", "blue"} <= set(names):
        return tuple(names.index(color) for color in ("red", "green", "blue"))
    near = tuple(min(range(len(bands)), key=lambda i: _far(bands[i], color)) for color in RGB)
    if len(set(near)) == 3 and all(_far(bands[i], color) < NEAR for i, color in zip(near, RGB)):
        return near
    return (2, 1, 0) if len(bands) > 3 else (0, 1, 2) if len(bands) == 3 else (0,)


def _far(band: Band, wavelength: float) -> float:
    return abs(band.wavelength - wavelength) if np.isfinite(band.wavelength) else np.inf


def details(pan: np.ndarray, size: tuple[int, int], side: int, count: int) -> list[tuple[int, int]]:
    """Upper left corners of the most textured squares of `side` pixels of a scene of `size`, apart from each other.

    pan: the scene reduced to [h, w], NaN for nodata. Texture is the median gradient of the stretched image: one bright
    edge, a saturated cloud or the border of the data is none.
    """
    gray = picture.stretch(pan[None], picture.limits([pan[None]]))[0].astype(float)
    slope = np.abs(np.diff(gray, axis=0, prepend=gray[:1])) + np.abs(np.diff(gray, axis=1, prepend=gray[:, :1]))
    steps = [full / reduced for full, reduced in zip(size, pan.shape)]
    textures = []
    for top in range(0, max(1, size[0] - side + 1), side):
        for left in range(0, max(1, size[1] - side + 1), side):
            tile = tuple(slice(int(a / s), max(ceil((a + side) / s), 1)) for a, s in zip((top, left), steps))
            textures.append((float(np.median(slope[tile]) * np.isfinite(pan[tile]).mean() ** 2), top, left))
    apart = max(side, min(size) // 4)
    chosen: list[tuple[int, int]] = []
    least = FLAT * max(texture for texture, *_ in textures)
    for texture, top, left in sorted(textures, reverse=True):
        rich = texture > 0 and texture >= least
        if rich and len(chosen) < count and all(max(abs(top - y), abs(left - x)) >= apart for y, x in chosen):
            chosen.append((top, left))
    return chosen
