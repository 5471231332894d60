"""What a Python caller does with arrays: sharpen a pair, reduce it by Wald's protocol."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from panflow import zoo
from panflow.arrays import close_type, open_image
from panflow.errors import InputError
from panflow.ops.degrade import wald
from panflow.ops.mtf import Choice as MTFChoice
from panflow.ops.mtf import with_mtf
from panflow.pairs import make_pair
from panflow.types import Pair, Sensor, Sharpener


def sharpen(
    pan: Any,
    ms: Any,
    *,
    method: str | Path | Sharpener | None = None,
    sensor: str | Sensor | None = None,
    phase: Any = None,
    arithmetic: str = "standard",
    mtf: MTFChoice = "auto",
    detail: str = "pan",
    consistent: bool = False,
) -> Any:
    """The sharpened image of a pair of arrays, in the sensor's own counts.

    pan [H, W] or [1, H, W], ms [C, h, w], or both batched [B, ...]: NumPy arrays, torch tensors or xarray
    DataArrays. Returns the same kind and floating type, [C, H, W] or [B, C, H, W]; integers give float32,
    unrounded; NaN marks nodata. method: a name, a model file or a sharpener; sensor: a name or a Sensor
    (None: generic); phase: where MS pixel (0, 0) is centred on the PAN grid: "corner", "toolbox", "centre", a number or
    (y, x) in PAN pixels; None: "corner", or where the coordinates of DataArrays say; arithmetic: "toolbox" computes as
    the field's MATLAB toolbox does (borders that wrap around, no guards, filters as they are), for pairs that come from
    it, with phase="toolbox"; mtf: the bands' MTF gains at the Nyquist frequency of MS, "auto" (estimated from the pair
    where that is sure, else the sensor's; under the toolbox's arithmetic the sensor's), "sensor", a number or one a
    band; detail: of the default model, an answer as sharp as PAN ("pan") or as the MS sensor would give it on PAN's
    grid ("ms"); consistent: with what the answer lacks of MS (`ops.consistency`). Computed in float64, DataArrays with
    axes y and x as `panflow.xarray.sharpen` does.

    Raises InputError, GeometryError or UnknownName.
    """
    if arithmetic == "standard" and _on_axes(pan) and _on_axes(ms):
        return _placed(pan, ms, method, sensor, phase, mtf, detail=detail, consistent=consistent)
    phase = "corner" if phase is None else phase
    mtf = "raised" if (detail, mtf) == ("ms", "auto") else mtf
    sharpener = method if callable(method) else zoo.load(method, detail=detail, consistent=consistent)
    pair = with_mtf(make_pair(pan, ms, sensor, phase, arithmetic=arithmetic), mtf, used=sharpener.uses_mtf)
    fused = sharpener.fit([pair])(pair)
    if pair.pan_valid is not None:
        from panflow.arrays import namespace

        xp = namespace(fused)
        fused = xp.where(pair.pan_valid, fused, xp.full_like(fused, float("nan")))
    _, close = open_image(ms, "ms", single_band=False)
    return _wrap(close(close_type(fused, getattr(ms, "values", ms) if hasattr(ms, "dims") else ms)), pan, ms)


def _on_axes(image: Any) -> bool:
    """Whether it is a DataArray of one scene with axes y and x."""
    return {"y", "x"} <= set(getattr(image, "dims", ())) and image.ndim <= 3


def _placed(pan: Any, ms: Any, method: Any, sensor: Any, phase: Any, mtf: MTFChoice, **loading: Any) -> Any:
    """Of DataArrays, whose coordinates say where they lie."""
    from panflow import xarray

    dtype = ms.dtype if ms.dtype.kind == "f" else "float32"
    options: dict[str, Any] = {} if callable(method) else {"runtime": None, **loading}
    about: dict[str, Any] = {"sensor": sensor or "generic", "phase": phase, "mtf": mtf, "dtype": dtype}
    fused = xarray.sharpen(pan, ms, method=method, **about, **options)
    nodata = fused.attrs.pop("_FillValue", None)
    return fused if nodata is None or nodata != nodata else fused.where(fused != nodata)


def _wrap(fused: Any, pan: Any, ms: Any) -> Any:
    """An xarray DataArray where the caller gave them: MS's bands on PAN's coordinates."""
    if not (hasattr(pan, "dims") and hasattr(ms, "dims")):
        return fused
    import xarray

    rows, columns = pan.dims[-2:]
    coords = {d: pan.coords[d] for d in (rows, columns) if d in pan.coords}
    band = ms.dims[-3]
    if band in ms.coords:
        coords[band] = ms.coords[band]
    dims = (*ms.dims[:-3], band, rows, columns)
    return xarray.DataArray(fused, dims=dims, coords=coords, attrs=ms.attrs, name=ms.name)


def degrade(
    pan: Any,
    ms: Any,
    *,
    sensor: str | Sensor | None = None,
    phase: Any = "corner",
    arithmetic: str = "standard",
    mtf: MTFChoice = "auto",
) -> Pair:
    """Wald's protocol: the reduced pair with `pan`, `ms`, `reference` and `phase`, batch axis as given, float64.

    Arguments as for `sharpen`. Raises InputError where MS is smaller than the ratio.
    """
    pair = with_mtf(make_pair(pan, ms, sensor, phase, arithmetic=arithmetic), mtf)
    try:
        reduced = wald(pair)
    except ValueError as error:
        raise InputError(str(error)) from None
    _, close = open_image(ms, "ms", single_band=False)
    return replace(reduced, pan=close(reduced.pan), ms=close(reduced.ms), reference=close(reduced.reference))
