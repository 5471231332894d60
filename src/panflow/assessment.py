"""Judging a fused image of whatever tool: every index, with and without a reference."""

from typing import Any

from panflow.arrays import as_float, is_torch, namespace, open_image
from panflow.errors import InputError
from panflow.indices._case import Case, Index, Local
from panflow.indices._sets import Choice, choose
from panflow.ops.fill import fill
from panflow.ops.mtf import Choice as MTFChoice
from panflow.ops.mtf import with_mtf
from panflow.pairs import make_pair, sensor_of
from panflow.types import Array, Sensor


def assess(
    fused: Any,
    pan: Any = None,
    ms: Any = None,
    reference: Any = None,
    *,
    indices: Choice = None,
    sensor: str | Sensor | None = None,
    phase: Any = "corner",
    arithmetic: str = "standard",
    mtf: MTFChoice = "auto",
    cut: int = 0,
    double: bool = True,
) -> dict[str, float]:
    """The quality of a fused image, {index: value}; of a batch, the mean over its images.

    fused [C, H, W] or [B, C, H, W] in counts; reference of the same shape and, or, pan [H, W] and ms [C, h, w]:
    NumPy arrays, torch tensors or xarray DataArrays, all of one kind. NaN marks nodata, which counts nowhere.

    indices: None (all that the inputs allow), a set ("toolbox", "otfm", "unipan"), names, {name: options} or {label:
    index}. sensor: MTF gains, bit depth and, where there is no pair, ratio. phase, arithmetic, mtf: as for `sharpen`.
    cut: pixels taken off before a comparison with the reference (the toolbox's dim_cut: 0, 11, 21, 30 are used).
    double: compute in float64 or float32.

    Raises InputError where an input is missing or shapes differ, UnknownName, GeometryError.
    """
    case = make_case(
        fused, pan, ms, reference, sensor=sensor, phase=phase, arithmetic=arithmetic, mtf=mtf, double=double
    )
    values = measure(case, choose(indices, inputs_of(case)), cut)
    return {label: float(namespace(value).mean(value)) for label, value in values.items()}


def maps(
    fused: Any,
    pan: Any = None,
    ms: Any = None,
    reference: Any = None,
    *,
    indices: Choice = None,
    sensor: str | Sensor | None = None,
    phase: Any = "corner",
    arithmetic: str = "standard",
    mtf: MTFChoice = "auto",
    double: bool = True,
) -> dict[str, Any]:
    """Where the quality is good and where not: {index: [H, W]} (batched: [B, H, W]) of every index that is local.

    Arguments as for `assess`. nan where an index is not defined; the reprojection indices are on the MS grid.
    """
    case = make_case(
        fused, pan, ms, reference, sensor=sensor, phase=phase, arithmetic=arithmetic, mtf=mtf, double=double
    )
    _, close = open_image(fused, "fused", single_band=False)
    local = {label: index for label, index in choose(indices, inputs_of(case)).items() if isinstance(index, Local)}
    return {label: close(index.map(case)) for label, index in local.items()}


def measure(case: Case, indices: dict[str, Index], cut: int = 0) -> dict[str, Array]:
    """Every index's values, [B] each; `cut` applies to the indices that need a reference."""
    inside = case.cut(cut)
    if 0 in inside.fused.shape:
        raise InputError(f"an image of {tuple(case.fused.shape[-2:])} pixels has nothing left when {cut} are cut")
    return {label: index(inside if index.needs == "reference" else case) for label, index in indices.items()}


def inputs_of(case: Case) -> set[str]:
    """What a case holds of "reference" and "pair"."""
    return {name for name, part in {"reference": case.reference, "pair": case.pair}.items() if part is not None}


def make_case(
    fused: Any,
    pan: Any = None,
    ms: Any = None,
    reference: Any = None,
    *,
    sensor: str | Sensor | None = None,
    phase: Any = "corner",
    arithmetic: str = "standard",
    mtf: MTFChoice = "auto",
    double: bool = True,
) -> Case:
    """A Case of arrays as callers have them; nodata masked and filled. Raises as `assess` does."""
    if (pan is None) != (ms is None):
        missing, given = ("pan", "ms") if pan is None else ("ms", "pan")
        raise InputError(f"{given} came without {missing}: indices without reference need both")
    if pan is None and reference is None:
        raise InputError("nothing to judge by: give a reference, or pan and ms")
    fused, _ = open_image(fused, "fused", single_band=False)
    fused = as_float(fused, double=double)
    if reference is not None:
        reference, _ = open_image(reference, "reference", single_band=False)
        _same_kind(fused, reference, "reference")
        if reference.shape != fused.shape:
            raise InputError(f"fused is {_shape(fused)}, reference {_shape(reference)}: expected the same")
        reference = as_float(reference, double=double)
    pair: Any = None
    if pan is not None:
        pair = with_mtf(make_pair(pan, ms, sensor, phase, arithmetic=arithmetic, double=double), mtf)
        _same_kind(fused, pair.ms, "pan and ms")
        expected = (*pair.ms.shape[:2], *pair.size)
        if tuple(fused.shape) != expected:
            raise InputError(
                f"fused is {_shape(fused)}: expected {' x '.join(map(str, expected))}, "
                "the bands of ms on the grid of pan (batch, bands, rows, columns)"
            )
    used = pair.sensor if pair else sensor_of(sensor, fused.shape[1])
    valid = _valid([fused, reference], None if pair is None else pair.pan_valid)
    return Case(
        fill(fused, valid),
        used,
        pair.ratio if pair else (used.ratio, used.ratio),
        reference=None if reference is None else fill(reference, valid),
        pair=pair,
        valid=valid,
    )


def _valid(images: list[Array | None], valid: Array | None) -> Array | None:
    """Where every band of every image is a number, [B, 1, H, W]; None where that is everywhere."""
    for image in images:
        if image is not None:
            xp = namespace(image)
            finite = xp.all(xp.isfinite(image), axis=1, keepdims=True)
            valid = finite if valid is None else valid & finite
    return None if valid is None or bool(namespace(valid).all(valid)) else valid


def _same_kind(fused: Array, other: Array, name: str) -> None:
    if is_torch(fused) != is_torch(other):
        raise InputError(f"fused and {name} must be of one kind: all NumPy arrays or all torch tensors")


def _shape(image: Array) -> str:
    return " x ".join(map(str, image.shape))
