"""What is taken from a scene before its blocks are worked on, as a file that serves other scenes: JSON, so that reading
it runs no code, in which numbers keep all their digits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any, Self

import numpy as np

from panflow import __version__
from panflow.arrays import to_numpy
from panflow.errors import InputError, MissingInput
from panflow.learned.statistics import Statistics
from panflow.methods.tv import Parameters
from panflow.ops.kernels import Separable
from panflow.ops.moments import Moments
from panflow.ops.mtf import MTF
from panflow.ops.register import Registration
from panflow.pairs import Windows
from panflow.types import YX, Sharpener

FORMAT = "panflow_fit"  # the file's first key
CLASSES = {each.__name__: each for each in (Moments, MTF, Parameters, Registration, Separable, Statistics)}
SAME = 0.01  # by which ratios may differ


@dataclass(frozen=True)
class Fit:
    """Of one scene, or of several together.

    method: its name; sensor: its name, bands: their names in order; ratio, toolbox: as of the scene's windows; offset:
    of MS, used where `corrected`; mtf: the gains; state: of the fitted sharpener (`Sharpener.state`).
    """

    version: str
    method: str
    sensor: str
    bands: tuple[str, ...]
    ratio: YX
    toolbox: bool
    offset: Registration
    corrected: bool
    mtf: MTF
    state: Mapping[str, Any]

    @classmethod
    def of(
        cls, windows: Windows, method: str, offset: Registration, corrected: bool, mtf: MTF, fitted: Sharpener
    ) -> Self:
        bands = tuple(band.name for band in windows.sensor.bands)
        scene = windows.sensor.name, bands, windows.ratio, windows.toolbox
        common = replace(offset, field=None)  # what varies with the place is of this scene alone
        return cls(__version__, Path(method).name, *scene, common, corrected, mtf, fitted.state)

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Of a file that `text` was written to. Raises MissingInput, InputError."""
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
            fit = cls(**{name: _decoded(value) for name, value in values[FORMAT].items()})
            assert all(isinstance(getattr(fit, name), kind) for name, kind in KINDS.items())
        except OSError as error:
            raise MissingInput(f"the fit {path} cannot be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError, AssertionError, RecursionError):
            raise InputError(f"{path} is no fit: expected a file of --save-fit") from None
        if fit.version != __version__:
            raise InputError(f"the fit {path} is of panflow {fit.version}, and this is {__version__}: make it anew")
        return fit

    @property
    def text(self) -> str:
        return json.dumps({FORMAT: {f.name: _encoded(getattr(self, f.name)) for f in fields(self)}}, allow_nan=False)

    def require_method(self, name: str) -> None:
        """InputError where it is of another method."""
        if Path(name).name != self.method:
            raise InputError(f"the fit is of the method {self.method}, not of {name}: take that, or fit anew")

    def require(self, windows: Windows) -> None:
        """InputError where it does not suit a scene."""
        sensor, bands = windows.sensor.name, tuple(band.name for band in windows.sensor.bands)
        if (sensor, bands) != (self.sensor, self.bands):
            mine, other = f"{self.sensor} ({', '.join(self.bands)})", f"{sensor} ({', '.join(bands)})"
            raise InputError(f"the fit is of the sensor {mine}, and the scene of {other}: expected the same bands")
        if not np.allclose(self.ratio, windows.ratio, rtol=SAME):
            mine, other = (f"{y:.4g} x {x:.4g}" for y, x in (self.ratio, windows.ratio))
            raise InputError(f"the fit is of the ratio {mine}, and the scene of {other}: fit anew")
        if self.toolbox != windows.toolbox:
            mine, other = ("toolbox" if each else "standard" for each in (self.toolbox, windows.toolbox))
            raise InputError(f"the fit is by the {mine} arithmetic, and {other} is asked for: take the same")


KINDS = {"version": str, "method": str, "sensor": str, "offset": Registration, "mtf": MTF, "state": dict}


def _encoded(value: Any) -> Any:
    """As JSON: what it has no form for is an object of one key, which says what it is."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else {"float": str(value)}
    if isinstance(value, (tuple, list)):
        return [_encoded(each) for each in value]
    if isinstance(value, Mapping):
        return {"mapping": {key: _encoded(each) for key, each in value.items()}}
    if is_dataclass(value):
        return {type(value).__name__: {f.name: _encoded(getattr(value, f.name)) for f in fields(value)}}
    array = to_numpy(value)
    numbers = [_encoded(each) for each in array.ravel().tolist()]
    return {"array": {"dtype": array.dtype.name, "shape": list(array.shape), "values": numbers}}


def _decoded(value: Any) -> Any:
    """What `_encoded` was given; lists become tuples, tensors arrays. Raises ValueError, KeyError, TypeError."""
    if isinstance(value, list):
        return tuple(_decoded(each) for each in value)
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "float":
        return float(content)
    if kind == "mapping":
        return {key: _decoded(each) for key, each in content.items()}
    if kind == "array":
        values = np.array([_decoded(each) for each in content["values"]], dtype=np.dtype(content["dtype"]))
        return values.reshape(content["shape"])
    return CLASSES[kind](**{name: _decoded(each) for name, each in content.items()})


__all__ = ["Fit"]
