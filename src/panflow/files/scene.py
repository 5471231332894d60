"""A scene as a user names it: which files, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from panflow.ops.mtf import Choice as MTFChoice
from panflow.types import YX, Sensor


@dataclass(frozen=True)
class Scene:
    """PAN and MS files, and what is said of them.

    pan: a file, or a `file,band=n` pick; ms: files or picks, n being a number or a name; bands: names of the MS bands,
    where the files do not name them; tags: metadata of the sensor besides those in the files; sensor: a name, a Sensor,
    or "auto", by the metadata; register: "auto" corrects a confident offset of MS ("auto:PIXELS": searched so far),
    which may vary over the scene, "global" one that does not, "local" looks for a field wherever it explains more,
    "off" trusts the georeferencing, "DY,DX" or a pair sets the offset in PAN pixels (rows, columns); offsets: a file of
    offsets (`files.offsets`), which are taken instead; nodata: a value that counts as nodata besides what the files
    declare; arithmetic: "standard", or "toolbox", as the field's MATLAB toolbox computes; mtf: "auto" takes the MTF
    gains that a reduced pair records, else estimates them, and takes the sensor's where the scene does not show them,
    "sensor" takes these, numbers ("G" or "G,G,...") are taken as they are; bounds: the part that is meant, (west,
    south, east, north) in PAN's reference system, or pixels: (first row, first column, rows, columns) of PAN; both as
    numbers or as text; dem: for images in the camera's geometry, which RPC relate: a file of heights above the
    ellipsoid, or metres; units: "counts", "physical", by the files' scale and offset tags, or "auto", so where there
    are such tags.
    """

    pan: str
    ms: tuple[str, ...]
    bands: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    sensor: str | Sensor = "auto"
    register: str | YX = "auto"
    nodata: float | None = None
    arithmetic: str = "standard"
    mtf: MTFChoice = "auto"
    bounds: str | Sequence[float] | None = None
    pixels: str | Sequence[int] | None = None
    dem: str | float | None = None
    units: str = "counts"
    offsets: str | None = None

    @classmethod
    def of(
        cls,
        pan: str | PurePath,
        ms: str | PurePath | Sequence[str | PurePath],
        *,
        bands: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Scene:
        """Of paths as callers have them: one MS file, or several."""
        files = [ms] if isinstance(ms, (str, PurePath)) else ms
        return cls(str(pan), tuple(map(str, files)), tuple(bands), dict(tags or {}), **options)

    @property
    def files(self) -> list[str]:
        """The files of PAN and MS."""
        return [picked(spec)[0] for spec in (self.pan, *self.ms)]


def picked(spec: str) -> tuple[str, str]:
    """The file of a `file,band=n` pick, and n; nothing where all bands are meant."""
    path, _, which = spec.rpartition(",band=")
    return (path, which) if path else (spec, "")
