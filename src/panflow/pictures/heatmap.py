"""Where an index is good and where not: a map in colours, with a bar of their values."""

from __future__ import annotations

from math import ceil
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from panflow.files.output import Output
from panflow.pictures.picture import GAP, INK, PAPER, TEXT, save

LONGEST = 1024  # pixels of the picture's map; larger maps are averaged
BAR = 20  # pixels
TICKS = 5
EMPTY = (190, 190, 190)
# From dark blue over teal to pale yellow: lightness rises all the way, so that it also reads in grey.
SCALE = ((20, 20, 70), (25, 80, 130), (30, 140, 140), (110, 190, 110), (220, 215, 90), (255, 250, 220))
PERCENT = (2.0, 98.0)


def heatmap(values: np.ndarray, title: str, out_png: Path | str | Output) -> None:
    """A PNG of a map [H, W], nan in grey; the colours span its 2nd to 98th percentile. Raises OutputError."""
    small = _reduced(values)
    numbers = small[np.isfinite(small)]
    low, high = np.percentile(numbers, PERCENT) if numbers.size else (0.0, 1.0)
    high = high if high > low else low + 1
    pixels = colors((small - low) / (high - low))
    pixels[~np.isfinite(small)] = EMPTY
    panel = Image.fromarray(pixels)
    factor = max(1, 256 // max(panel.size))
    panel = panel.resize((panel.width * factor, panel.height * factor), Image.Resampling.NEAREST)
    font = ImageFont.load_default(TEXT)
    labels = [f"{v:.4g}" for v in np.linspace(high, low, TICKS)]
    line, side = TEXT + GAP, BAR + GAP // 2 + ceil(max(map(font.getlength, labels)))
    height = max(panel.height, TICKS * line)
    width = max(panel.width + side + 3 * GAP, ceil(font.getlength(title)) + 2 * GAP)
    picture = Image.new("RGB", (width, height + line + GAP), PAPER)
    draw = ImageDraw.Draw(picture)
    draw.text((GAP, GAP / 2), title, INK, font, "la")
    picture.paste(panel, (GAP, line))
    left = panel.width + 2 * GAP
    ramp = np.repeat(colors(np.linspace(1, 0, height))[:, None], BAR, axis=1)
    picture.paste(Image.fromarray(ramp), (left, line))
    for label, share in zip(labels, np.linspace(0, 1, TICKS)):
        y = line + share * (height - TEXT) + TEXT / 2
        draw.text((left + BAR + GAP // 2, y), label, INK, font, "lm")
    save(picture, out_png)


def colors(unit: np.ndarray) -> np.ndarray:
    """uint8 [..., 3] of values; 0 and below is the first colour of the scale, 1 and above the last."""
    at = np.linspace(0, 1, len(SCALE))
    unit = np.nan_to_num(unit)
    return np.stack([np.interp(unit, at, channel) for channel in zip(*SCALE)], axis=-1).round().astype(np.uint8)


def _reduced(values: np.ndarray) -> np.ndarray:
    """The map with at most LONGEST pixels a side, each the mean of the numbers of its part; read strip by strip."""
    step = ceil(max(values.shape) / LONGEST)
    if step == 1:
        return np.asarray(values, dtype=float)
    rows, columns = (range(0, n, step) for n in values.shape)
    coarse = np.full((len(rows), len(columns)), np.nan)
    for i, top in enumerate(rows):
        strip = np.asarray(values[top : top + step], dtype=float)
        there = np.isfinite(strip)
        total, count = (np.add.reduceat(x.sum(axis=0), columns) for x in (np.where(there, strip, 0), there))
        coarse[i] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return coarse
