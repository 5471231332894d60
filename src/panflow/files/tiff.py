"""The tiles of a GeoTIFF, compressed where their pixels are computed and put into a file that GDAL has written.

GDAL compresses too, in its own threads, but takes pixels band by band through its cache. Here it makes a file of
all that describes the image and no pixels; tiles are appended to it, and where they lie is entered when all are there
(TIFF 6.0, sections 2, 14 and 15; BigTIFF has wider numbers).
"""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from zstandard import ZstdCompressor

from panflow.ops.resample import loops

OFFSETS, COUNTS = 324, 325  # tags of the tables of where tiles lie and how many bytes they have
_local = threading.local()


class Tile(NamedTuple):
    """Compressed pixels, and the place of the tile among the image's tiles."""

    row: int
    column: int
    data: bytes


def encode(image: np.ndarray, first: tuple[int, int], side: int, level: int) -> list[Tile]:
    """Integers [C, H, W], whose first pixel begins the tile in a given row and column, as tiles of `side` pixels:
    bands interleaved, horizontal differences (predictor 2), zstd."""
    if getattr(_local, "level", None) != level:  # kept for the next block: it holds tables of a megabyte
        _local.level, _local.compressor = level, ZstdCompressor(level=level)
    tiles = []
    for top in range(0, image.shape[1], side):
        for left in range(0, image.shape[2], side):
            pixels = _differences(image[:, top : top + side, left : left + side], side)
            place = first[0] + top // side, first[1] + left // side
            tiles.append(Tile(*place, _local.compressor.compress(pixels)))
    return tiles


def _differences(image: np.ndarray, side: int) -> np.ndarray:
    """Of every pixel and the one before it in its row, [side, side, C]; zero beyond the image [C, H, W]."""
    bands, height, width = image.shape
    whole = height == width == side
    steps = (np.empty if whole else np.zeros)((side, side, bands), image.dtype)
    if loops() and whole:
        loops().differences(image, steps)
        return steps
    for c, band in enumerate(image):
        steps[:height, 0, c] = band[:, 0]
        np.subtract(band[:, 1:], band[:, :-1], out=steps[:height, 1:width, c])
    return steps


class Tiles:
    """Puts tiles into a little-endian file that GDAL has written without any (SPARSE_OK)."""

    def __init__(self, path: Path, across: int, down: int, there: Iterable[tuple[int, int, int, int]] = ()):
        """there: row, column, offset and bytes of tiles that the file has already."""
        self._across, self._file = across, path.open("r+b")
        self._tables = np.zeros((2, across * down), np.uint64)  # offsets and counts
        for row, column, offset, count in there:
            self._tables[:, row * across + column] = offset, count
        self._end = self._file.seek(0, os.SEEK_END)

    def append(self, tiles: Iterable[Tile]) -> list[tuple[int, int, int, int]]:
        """Row, column, offset and bytes of each."""
        places = []
        for row, column, data in tiles:
            self._tables[:, row * self._across + column] = self._end, len(data)
            self._file.write(data)
            places.append((row, column, self._end, len(data)))
            self._end += len(data)
        return places

    def flush(self) -> None:
        self._file.flush()

    def finish(self) -> None:
        """Enter where the tiles lie."""
        with self._file as file:
            wide, entries = _directory(file)
            number, code, kind = ("<Q", np.uint64, 16) if wide else ("<I", np.uint32, 4)
            for tag, table in zip((OFFSETS, COUNTS), self._tables):
                values = table.astype(code).tobytes()
                if len(values) > struct.calcsize(number):  # else they take the place of where they are
                    values, where = struct.pack(number, self._end + self._end % 2), values
                    self._end = file.seek(self._end + self._end % 2) + file.write(where)
                file.seek(entries[tag])
                file.write(struct.pack("<HH", tag, kind) + struct.pack(number, len(table)) + values)

    def close(self) -> None:
        self._file.close()


def _directory(file: BinaryIO) -> tuple[bool, dict[int, int]]:
    """Whether the file is a BigTIFF, and where the entries of its first image are, by tag."""

    def numbers(at: int, form: str) -> tuple[int, ...]:
        file.seek(at)
        return struct.unpack("<" + form, file.read(struct.calcsize("<" + form)))

    wide = numbers(2, "H") == (43,)
    (start,) = numbers(8, "Q") if wide else numbers(4, "I")
    (count,) = numbers(start, "Q" if wide else "H")
    first, length = (start + 8, 20) if wide else (start + 2, 12)
    return wide, {numbers(at, "H")[0]: at for at in range(first, first + count * length, length)}
