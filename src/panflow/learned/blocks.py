"""How a large image is worked through: in blocks with a halo around each, on whole cells of network and MS grid.

A block's window begins and ends on multiples of a cell, so that pooling and MS pixels lie in it as in the whole image,
and reaches over its core by the halo of the prediction: blocks equal the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from math import ceil, lcm
from typing import Any

from panflow.arrays import namespace
from panflow.learned.inputs import coarse
from panflow.ops.window import Core
from panflow.types import YX, Batch

# PAN pixels a side of a block, halo aside: what stays in a CPU's cache, of networks that take all bands at once and one
# after the other, and what elsewhere fits the memory
SIDE, SIDE_BAND_BY_BAND, SIDE_ACCELERATOR = 128, 512, 1024
SIDE_GRAPH = 256  # as ONNX Runtime cuts convolutions for the cache by itself, which shares the halo among more pixels
HALOS = 8  # a block has at least so many times its halo a side, since the halo is computed twice

Span = tuple[int, int]


@dataclass(frozen=True)
class Block:
    """What is answered by one prediction; (top, bottom, left, right) in PAN pixels."""

    core: Core  # the part of the answer, in the image
    window: Core  # core and halo, in the image
    inner: Core  # the core, in the window


def cell_of(ratio: YX, multiple: int) -> tuple[int, int] | None:
    """What windows start at multiples of, PAN pixels in rows and columns; None where the ratio is no integer."""
    y, x = (round(r) for r in ratio)
    integer = max(abs(ratio[0] - y), abs(ratio[1] - x)) <= 1e-6
    return (lcm(multiple, y), lcm(multiple, x)) if integer else None


def blocks(core: Core, size: Span, side: int, halo: int, cell: tuple[int, int]) -> Iterator[Block]:
    """A core of an image of `size` in nearly equal blocks of about `side` pixels, row by row."""
    top, bottom, left, right = core
    rows = _spans(top, bottom, side, halo, size[0], cell[0])
    columns = _spans(left, right, side, halo, size[1], cell[1])
    for (rows_core, rows_window), (columns_core, columns_window) in product(rows, columns):
        inner = (*_within(rows_core, rows_window), *_within(columns_core, columns_window))
        yield Block((*rows_core, *columns_core), (*rows_window, *columns_window), inner)


def _spans(low: int, high: int, side: int, halo: int, size: int, cell: int) -> list[tuple[Span, Span]]:
    """Cores along one axis from low to high, and their windows."""
    count = ceil((high - low) / side)
    step = ceil((high - low) / count / cell) * cell
    spans = []
    for first in range(low, high, step):
        end = min(first + step, high)
        start = max(0, (first - halo) // cell * cell)
        stop = min(size, ceil((end + halo) / cell) * cell)
        spans.append(((first, end), (start, stop)))
    return spans


def _within(core: Span, window: Span) -> Span:
    return core[0] - window[0], core[1] - window[0]


def crop(batch: Batch, rows: slice, columns: slice) -> Batch:
    """A window of a batch on the PAN grid, which starts at multiples of the ratio; MS is cut in step."""
    pair = batch.pair
    ms_rows, ms_columns = (
        slice(round(s.start / r), ceil(min(s.stop, n) / r)) for s, r, n in zip((rows, columns), pair.ratio, pair.size)
    )

    def cut(image: Any) -> Any:
        return image[..., rows, columns]

    def cut_ms(image: Any) -> Any:
        return image[..., ms_rows, ms_columns]

    part = _each(batch, cut, cut_ms)
    origin = pair.origin[0] + rows.start, pair.origin[1] + columns.start
    return replace(part, pair=replace(part.pair, origin=origin))


def pad_to(batch: Batch, multiples: tuple[int, int]) -> Batch:
    """The batch with reflected pixels at the bottom and on the right, so that its size is of the multiples; MS in step
    with PAN, masks as they are."""
    pair = batch.pair
    down, right = (-n % m for n, m in zip(pair.size, multiples))
    if not down and not right:
        return batch
    from torch.nn.functional import pad  # what needs multiples of more than a pixel is a network of torch

    before = coarse(pair.size, pair.ratio)
    after = coarse((pair.size[0] + down, pair.size[1] + right), pair.ratio)

    def grow(image: Any, down: int = down, right: int = right) -> Any:
        boolean = namespace(image).isdtype(image.dtype, "bool")
        return image if boolean else pad(image, (0, right, 0, down), mode="reflect")

    return _each(batch, grow, lambda image: grow(image, after[0] - before[0], after[1] - before[1]))


def members(batch: Batch, some: slice) -> Batch:
    """Some pairs of a batch."""
    count = len(batch.ms_up)

    def cut(image: Any) -> Any:
        return image if image is None or len(image) != count else image[some]

    pair = batch.pair
    images = {name: cut(getattr(pair, name)) for name in ("pan", "ms", "pan_valid", "ms_valid", "reference")}
    inputs = {name: cut(image) for name, image in batch.inputs.items()}
    shown = {name: cut(getattr(batch, name)) for name in ("ms_up", "unit", "target")}
    return replace(batch, pair=replace(pair, **images), inputs=inputs, **shown)


def _each(batch: Batch, fine: Callable[[Any], Any], ms: Callable[[Any], Any]) -> Batch:
    """The batch with every image on the PAN grid changed by `fine`, every one on the MS grid by `ms`."""
    pair = batch.pair
    size = pair.size
    ms_size = coarse(size, pair.ratio)

    def change(image: Any) -> Any:
        if image is None or image.shape[-2:] not in (size, ms_size):
            return image
        return fine(image) if image.shape[-2:] == size else ms(image)

    pair = replace(
        pair,
        pan=change(pair.pan),
        ms=change(pair.ms),
        pan_valid=change(pair.pan_valid),
        ms_valid=change(pair.ms_valid),
        reference=change(pair.reference),
        core=None,
    )
    inputs = {name: change(image) for name, image in batch.inputs.items()}
    return replace(batch, pair=pair, inputs=inputs, ms_up=change(batch.ms_up), target=change(batch.target))
