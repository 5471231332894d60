"""Offsets of MS against PAN as a file: a GeoTIFF with two bands, dy and dx in PAN pixels, or two for a group of bands.

Its pixels are centred at the nodes of a lattice, as coarse as the offsets allow, between which they are bilinear.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import rasterio
from affine import Affine
from rasterio.errors import RasterioError

from panflow.errors import GeometryError, InputError
from panflow.files.grid import Grid
from panflow.files.output import Output
from panflow.files.source import grid_of, open_dataset
from panflow.ops.displacement_field import lattice
from panflow.ops.register import Registration

GROUPS = "PANFLOW_GROUPS"  # tag: the group of every MS band, parted by commas
LARGEST = 2**24  # nodes
FARTHEST = 1000  # PAN pixels
STEPS = 2**16  # parts of a PAN pixel to which nodes are rounded: georeferencing adds errors of 1e-9


def write_offsets(out: Output, offset: Registration, grid: Grid, names: Sequence[str]) -> None:
    """The offsets that an image was corrected by; grid: of PAN; names: of the bands. Raises OutputError."""
    totals, groups = offset.totals(len(names))
    count, _, height, width = totals.shape
    field = offset.field
    (top, left), (down, across) = (field.origin, field.step) if field else lattice(grid.size, (2, 2))
    corner = Affine.translation(left + 0.5 - across / 2, top + 0.5 - down / 2)
    profile = {"driver": "GTiff", "count": 2 * count, "height": height, "width": width, "dtype": "float64"}
    place = {"crs": grid.crs, "transform": grid.transform * corner * Affine.scale(across, down)}
    with rasterio.MemoryFile() as memory:
        with memory.open(**profile, **place, compress="deflate", predictor=3) as dataset:
            dataset.write(totals.reshape(2 * count, height, width))
            dataset.update_tags(**{GROUPS: ",".join(map(str, groups))})
            for group in range(count):
                bands = ", ".join(name for name, own in zip(names, groups) if own == group)
                for axis, symbol in enumerate(("dy", "dx")):
                    dataset.set_band_description(2 * group + axis + 1, f"{symbol} of {bands}" if count > 1 else symbol)
                    dataset.set_band_unit(2 * group + axis + 1, "PAN pixels")
        out.write(memory.getbuffer())


def read_offsets(path: str, grid: Grid, bands: int) -> Registration:
    """Those of a file whose pixels lie along the axes of PAN, whose grid this is. Raises InputError, MissingInput,
    GeometryError."""
    with open_dataset(path, "offsets") as dataset:
        if dataset.count % 2 or dataset.width * dataset.height > LARGEST:
            raise InputError(f"{path} has {dataset.count} bands, {dataset.width} x {dataset.height}: expected {WANTED}")
        nodes = grid_of(dataset)
        try:
            totals = dataset.read(masked=True).astype(np.float64).filled(np.nan)
        except RasterioError as error:
            raise InputError(f"{path} cannot be read: {error}") from None
        groups = _groups(dataset.tags().get(GROUPS, ""), dataset.count // 2, bands)
    totals = totals.reshape(-1, 2, *nodes.size)
    if groups is None or not np.abs(totals).max() <= FARTHEST:
        raise InputError(f"{path} holds no offsets of {bands} bands: expected {WANTED}")
    relation = ~grid.transform * nodes.transform
    turned = abs(relation.b) * nodes.size[0] > 0.01 or abs(relation.d) * nodes.size[1] > 0.01
    if nodes.crs != grid.crs or turned or min(relation.a, relation.e) <= 0:
        raise GeometryError(f"{path} is not georeferenced as PAN is: expected its reference system and axes")
    origin = _exact(relation.f + relation.e / 2 - 0.5), _exact(relation.c + relation.a / 2 - 0.5)
    step = _exact(relation.e), _exact(relation.a)
    for low, size, count, wide in zip(origin, grid.size, nodes.size, step):
        if low - wide > size or low + count * wide < 0:
            raise GeometryError(f"the offsets of {path} lie beside PAN: expected those of the same place")
    return Registration(confidence=1.0).varying(totals, groups, origin, step)


WANTED = (
    f"dy and dx in PAN pixels (up to {FARTHEST}, no nodata), for all or each of the bands, at no more than {LARGEST} "
    "places"
)


def _groups(text: str, count: int, bands: int) -> tuple[int, ...] | None:
    """The group of every band, by the tag; without it all are of one, or each of its own."""
    numbers = [int(word) for word in text.split(",") if word.isdigit()]
    if len(numbers) == bands and sorted(set(numbers)) == list(range(count)):
        return tuple(numbers)
    return {1: (0,) * bands, bands: tuple(range(bands))}.get(count)


def _exact(value: float) -> float:
    return round(value * STEPS) / STEPS
