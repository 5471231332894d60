"""Images in the geometry of the camera: rational polynomials (RPC) or ground control points, and no map axes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.errors import RasterioError
from rasterio.rpc import RPC
from rasterio.transform import RPCTransformer

from panflow.errors import GeometryError, InputError, MissingInput

LATTICE = 21  # points a side at which both models are asked
# GDAL inverts a model up to a tenth of its pixel, which may be half a pixel of PAN
EXACT = {"rpc_pixel_error_threshold": 0.001, "rpc_max_iterations": 50}
STRAIGHT = 0.25  # PAN pixels by which the relation of two images of one camera usually bends at most,
BENT = 3.0  # and by which it may, as registration by place finds what is left


@dataclass(frozen=True)
class Camera:
    """What a file says of how its camera saw the ground."""

    rpcs: RPC | None = None
    points: tuple[GroundControlPoint, ...] = ()
    points_crs: Any = None

    @classmethod
    def of(cls, dataset: rasterio.DatasetReader) -> Camera | None:
        points, crs = dataset.gcps
        return cls(dataset.rpcs, tuple(points), crs) if dataset.rpcs or points else None

    def cut(self, top: int, left: int) -> Camera:
        """Of a part of the image that begins at a row and a column."""
        rpcs = self.rpcs
        if rpcs is not None:
            rpcs = attrs.evolve(rpcs, line_off=rpcs.line_off - top, samp_off=rpcs.samp_off - left)
        points = tuple(GroundControlPoint(p.row - top, p.col - left, p.x, p.y, p.z, p.id, p.info) for p in self.points)
        return Camera(rpcs, points, self.points_crs)

    def describe(self, dataset: Any) -> None:
        """Write it into a new file."""
        if self.rpcs is not None:
            dataset.rpcs = self.rpcs
        if self.points:
            dataset.gcps = list(self.points), self.points_crs


def relation(pan: RPC, ms: RPC, ms_size: tuple[int, int], dem: str | float | None = None) -> tuple[Affine, float]:
    """From MS to PAN, corners of pixels (column, row), by both models on the ground at the height of `dem`: a file of
    heights above the ellipsoid, or metres; None: the middle height of MS's model. And by how many PAN pixels it bends.

    The images of one camera are related almost by an affine map, which is fitted to a lattice of points. Raises
    GeometryError where it bends by more than BENT PAN pixels, or the models do not meet; InputError for `dem`.
    """
    height, width = ms_size
    rows, columns = (a.ravel() for a in np.meshgrid(np.linspace(0, height, LATTICE), np.linspace(0, width, LATTICE)))
    ground = _ground(dem, ms) | EXACT
    try:
        with RPCTransformer(ms, **ground) as there, RPCTransformer(pan, **ground) as here:
            xs, ys = there.xy(rows, columns, offset="ul")
            r, c = here.rowcol(xs, ys, op=float)
    except (RasterioError, ValueError) as error:
        raise GeometryError(f"PAN and MS cannot be related by their RPC: {error}") from None
    places = np.stack([c, r], 1)
    usable = np.isfinite(places).all(1)
    if usable.sum() < LATTICE:
        raise GeometryError("PAN and MS cannot be related by their RPC: the two models do not see the same ground")
    design = np.stack([columns, rows, np.ones_like(rows)], 1)[usable]
    solution, *_ = np.linalg.lstsq(design, places[usable], rcond=None)
    bend = np.abs(design @ solution - places[usable]).max()
    if bend > BENT:
        raise GeometryError(
            f"the RPC relate MS to PAN by a map that bends by {bend:.2f} PAN pixels: were both taken by one camera at "
            "one time? orthorectify both first"
        )
    (a, d), (b, e), (c0, f0) = solution
    return Affine(a, b, c0, d, e, f0), float(bend)


def _ground(dem: str | float | None, rpcs: RPC) -> dict[str, Any]:
    """GDAL's options for the height of the ground."""
    if dem is None:
        return {"rpc_height": rpcs.height_off}
    try:
        return {"rpc_height": float(dem)}
    except ValueError:
        if not Path(str(dem)).exists() and not str(dem).startswith("/vsi"):
            raise MissingInput(f"--dem {dem}: expected a file of heights, or metres") from None
    try:
        with rasterio.open(dem) as dataset:
            if dataset.crs is None or dataset.count != 1:
                raise InputError(f"--dem {dem} is no file of heights: expected one band with a reference system")
    except RasterioError as error:
        raise InputError(f"--dem {dem} cannot be read: {error}") from None
    return {"rpc_dem": str(dem)}
