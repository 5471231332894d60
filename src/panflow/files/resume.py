"""A plain GeoTIFF in the making that outlasts its process: part file, the directory that it began with, and a log that
says which blocks are whole. A later run with the same digest goes on where the log ends."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

from panflow.errors import OutputError
from panflow.files.output import Output
from panflow.files.tiff import Tile, Tiles
from panflow.ops.window import Core

SUFFIXES = PART, DIRECTORY, LOG = ".tif", ".directory", ".log"


@dataclass(frozen=True)
class Block:
    """core: of the image; clipped, holes: pixels of it; tiles: row, column, offset, bytes and CRC-32 of each."""

    core: Core
    clipped: int
    holes: int
    tiles: tuple[tuple[int, int, int, int, int], ...]


class Resumable:
    """Takes over a file that GDAL has described, or goes on with one that was kept.

    part: GDAL's file; digest: of all that the pixels depend on; blocks: that are there already. OutputError where
    another run writes the same result.
    """

    def __init__(self, output: Output, part: Path, across: int, down: int, digest: str):
        self.part, directory, log = (output.kept(suffix) for suffix in SUFFIXES)
        self._log = log.open("ab+")
        _alone(self._log.fileno(), output.out)
        found = _whole(self._log, self.part, directory, digest)
        self.begun_anew = found is None and self.part.exists()
        self.blocks = found or []
        if self.blocks:
            part.unlink()
            end = max(offset + length for block in self.blocks for _, _, offset, length, _ in block.tiles)
            with self.part.open("r+b") as file:
                file.write(directory.read_bytes())
                file.truncate(end)
        else:
            directory.write_bytes(part.read_bytes())
            os.replace(part, self.part)
            self._log.truncate(0)
            self._log.write(json.dumps(digest).encode() + b"\n")
        self.tiles = Tiles(self.part, across, down, [tile[:4] for block in self.blocks for tile in block.tiles])

    def write(self, core: Core, tiles: list[Tile], clipped: int, holes: int) -> None:
        """A block; what the log says lies in the file is there."""
        places = self.tiles.append(tiles)
        self.tiles.flush()
        sums = [(*place, crc32(tile.data)) for place, tile in zip(places, tiles)]
        self._log.write(json.dumps([core, clipped, holes, sums]).encode() + b"\n")
        self._log.flush()

    def close(self) -> None:
        self._log.close()


def removed(output: Output) -> None:
    """Nothing is kept any more."""
    for suffix in SUFFIXES:
        output.kept(suffix).unlink(missing_ok=True)


def _whole(log: BinaryIO, part: Path, directory: Path, digest: str) -> list[Block] | None:
    """The blocks of a log, up to the first that the file has not; None where it is of another digest."""
    log.seek(0)
    lines = log.read().split(b"\n")
    if not part.exists() or not directory.exists() or lines[0] != json.dumps(digest).encode():
        return None
    blocks: list[Block] = []
    with part.open("rb") as file:
        for line in lines[1:-1]:
            try:
                core, clipped, holes, tiles = json.loads(line)
                block = Block(tuple(core), clipped, holes, tuple(map(tuple, tiles)))
            except ValueError:
                break
            if not all(_there(file, offset, length, crc) for _, _, offset, length, crc in block.tiles):
                break
            blocks.append(block)
    kept = lines[: len(blocks) + 1]
    log.truncate(len(b"\n".join(kept)) + 1)
    return blocks


def _there(file: BinaryIO, offset: int, length: int, crc: int) -> bool:
    file.seek(offset)
    return crc32(file.read(length)) == crc


def _alone(handle: int, out: str) -> None:
    try:
        import fcntl
    except ImportError:  # not a Unix: runs are trusted not to meet
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OutputError(f"another run with --resume writes {out}: wait until it is done") from None
    except OSError:  # a file system without locks
        pass


__all__ = ["Block", "Resumable", "removed"]
