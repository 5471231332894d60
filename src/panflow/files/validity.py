"""Which pixels of a file count: the one answer for scenes, fused files, references and ground to learn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import RasterioError
from rasterio.windows import Window

SAMPLE = 64  # pixels a side of the look at a band that may be a mask
VALUES = 16  # different ones that no mask has
HIGHEST = 1e30  # counts of this size and more are no measurements: fill values such as ESRI's -3.4e38, or damage


@dataclass(frozen=True)
class Validity:
    """What may make pixels of some bands of a file invalid; of several, GDAL itself follows only one.

    values: of every band, those that stand for nodata; masks: bands with a mask; alpha: a band besides these; floats:
    whether some pixels may be no numbers, or fill that nobody declares.
    """

    values: tuple[tuple[float, ...], ...]
    masks: tuple[int, ...]
    alpha: int | None
    floats: bool

    @classmethod
    def of(cls, dataset: rasterio.DatasetReader, bands: list[int], nodata: float | None = None) -> Validity:
        """Of bands (1-based) of a file; nodata: a value that counts as nodata besides what the file declares."""
        elsewhere = {MaskFlags.all_valid, MaskFlags.nodata, MaskFlags.alpha}
        alpha = alpha_band(dataset)
        return cls(
            tuple(tuple(v for v in (dataset.nodatavals[b - 1], nodata) if v is not None) for b in bands),
            tuple(b for b in bands if not elsewhere & set(dataset.mask_flag_enums[b - 1])),
            alpha if alpha not in bands else None,
            any(np.dtype(dataset.dtypes[b - 1]).kind == "f" for b in bands),
        )

    def mask(self, dataset: rasterio.DatasetReader, part: Window | None, image: np.ndarray) -> np.ndarray | None:
        """Where every band of the image [C, H, W], read from a part of the file, is valid [H, W]; None: everywhere."""
        if not (any(self.values) or self.masks or self.alpha or self.floats):
            return None
        valid = (np.abs(image) < HIGHEST).all(axis=0)
        with np.errstate(over="ignore"):  # of nodata beyond the type of the image
            for band, values in zip(image, self.values):
                for value in values:
                    valid &= band != value
        for mask in self.masks:
            valid &= dataset.read_masks(mask, window=part) > 0
        if self.alpha:
            valid &= dataset.read(self.alpha, window=part) > 0
        return None if valid.all() else valid


def alpha_band(dataset: rasterio.DatasetReader) -> int | None:
    """The band (1-based) that is marked as alpha beside others, and masks."""
    colors = dataset.colorinterp
    if len(colors) == 1 or ColorInterp.alpha not in colors or is_infrared(dataset):
        return None
    return colors.index(ColorInterp.alpha) + 1


def is_infrared(dataset: rasterio.DatasetReader) -> bool:
    """Whether the fourth of four bands of 8 bits is marked as alpha, as GDAL marks it where nobody says what it is, and
    holds other values than a mask: then it is near infrared."""
    if dataset.colorinterp[3:] != (ColorInterp.alpha,) or set(dataset.dtypes) != {"uint8"}:
        return False
    try:
        sample = dataset.read(4, out_shape=(SAMPLE, SAMPLE))
    except (RasterioError, CPLE_BaseError):
        return False  # who reads the pixels says so
    between = sample[(sample > 0) & (sample < 255)]
    return len(np.unique(between)) >= VALUES and between.size > (sample > 0).sum() / 2
