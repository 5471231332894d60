"""Pictures of images: one stretch for all that are compared, laid out in labelled rows and columns.

Images are [C, H, W] with NaN for nodata and three bands (red, green, blue) or one (grey).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from panflow.files.output import Output

PERCENT = (2.0, 98.0)
GAP, TEXT = 8, 14  # pixels
INK, PAPER = (30, 30, 30), (255, 255, 255)


def limits(images: Sequence[np.ndarray], percent: tuple[float, float] = PERCENT) -> np.ndarray:
    """Counts shown as black and as white, one pair a band: [C, 2]. The same for all the images.

    The median over the images of each one's percentiles: a single image with wild values changes nothing for the
    others. Images without a valid pixel have no say; where none has one, limits are 0 and 1.
    """
    percentiles = []
    for image in images:
        bands = [band[np.isfinite(band)] for band in image.reshape(len(image), -1)]
        if all(band.size for band in bands):
            percentiles.append([np.percentile(band, percent) for band in bands])
    if not percentiles:
        return np.tile([0.0, 1.0], (len(images[0]), 1))
    low, high = np.moveaxis(np.median(percentiles, axis=0), -1, 0)
    return np.stack([low, np.where(high > low, high, low + 1)], axis=-1)


def stretch(image: np.ndarray, limits: np.ndarray, gamma: float = 1.0) -> np.ndarray:
    """uint8 [C, H, W]: limits [C, 2] become 0 and 255, and what lies between ((x - low) / (high - low))^(1/gamma)."""
    low, high = (column[:, None, None] for column in np.asarray(limits, dtype=float).T)
    unit = np.clip((np.nan_to_num(image, nan=-np.inf) - low) / (high - low), 0, 1) ** (1 / gamma)
    return np.rint(255 * unit).astype(np.uint8)


def panel(image: np.ndarray, limits: np.ndarray, size: int, gamma: float = 1.0) -> Image.Image:
    """The stretched image, enlarged by the whole factor that fits `size`, over a checkerboard where it is nodata."""
    pixels = np.broadcast_to(stretch(image, limits, gamma), (3, *image.shape[1:]))
    empty = ~np.isfinite(image).any(axis=0)
    factor = max(1, size // max(image.shape[1:]))
    pixels, empty = (np.kron(plane, np.ones((factor, factor), plane.dtype)) for plane in (pixels, empty))
    y, x = np.indices(empty.shape)
    checker = np.where((y // 8 + x // 8) % 2, 225, 190).astype(np.uint8)
    return Image.fromarray(np.moveaxis(np.where(empty, checker, pixels), 0, -1).copy())


def sheet(rows: Sequence[Sequence[Image.Image]], columns: Sequence[str], titles: Sequence[str]) -> Image.Image:
    """Panels in rows and columns, the columns' names on top and each row's title above it."""
    font = ImageFont.load_default(TEXT)
    line = TEXT + GAP
    widths = [max(panel.width for panel in column) for column in zip(*rows)]
    heights = [max(panel.height for panel in row) for row in rows]
    height = line + sum(heights) + len(rows) * (line + GAP)
    picture = Image.new("RGB", (sum(widths) + GAP * (len(widths) + 1), height), PAPER)
    draw = ImageDraw.Draw(picture)
    left = GAP
    for name, width in zip(columns, widths):
        draw.text((left + width / 2, GAP / 2), _fitted(name, width, font), INK, font, "ma")
        left += width + GAP
    top = line
    for row, title, tall in zip(rows, titles, heights):
        draw.text((GAP, top + GAP / 2), _fitted(title, picture.width - 2 * GAP, font), INK, font, "la")
        top, left = top + line, GAP
        for cell, width in zip(row, widths):
            picture.paste(cell, (left + (width - cell.width) // 2, top))
            left += width + GAP
        top += tall + GAP
    return picture


def _fitted(text: str, width: float, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> str:
    """The text, cut where it is too wide."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."


def contact_sheet(
    crops: dict[str, list[np.ndarray]],
    titles: Sequence[str],
    out_png: PurePath | str | Output,
    size: int = 256,
    gamma: float = 1.0,
) -> None:
    """A PNG with one row a crop and one column a method.

    crops: by column, the crops [C, H, W] of all rows; three bands (red, green, blue) or one. All images of a row with
    the same number of bands are stretched alike, so differences seen are differences of the images.
    """
    rows = []
    for images in zip(*crops.values(), strict=True):
        scale = {n: limits([image for image in images if len(image) == n]) for n in {len(image) for image in images}}
        rows.append([panel(image, scale[len(image)], size, gamma) for image in images])
    save(sheet(rows, list(crops), titles), out_png)


def save(picture: Image.Image, out: PurePath | str | Output) -> None:
    """The picture as a PNG, whatever the name's ending; a file that has a plain name is replaced. OutputError where it
    cannot be written."""
    with out if isinstance(out, Output) else Output(out, overwrite=True) as output, output.file() as file:
        picture.save(file, format="PNG")
