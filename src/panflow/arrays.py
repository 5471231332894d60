"""NumPy and torch alike: one namespace for both, and the door through which callers' arrays come and go.

Mathematics in `ops`, `methods` and `indices` is written once, against the array API that NumPy and (through
array-api-compat) torch offer; which of them computes is decided by what the caller brought. torch is imported
only when a tensor comes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from panflow.errors import InputError
from panflow.types import Array


def namespace(*arrays: Array) -> Any:
    """The array-API namespace of the arrays (NumPy's or torch's)."""
    if all(isinstance(array, np.ndarray | np.generic) for array in arrays):
        return np  # speaks the array API itself; the wrapper's import takes a tenth of a second
    import array_api_compat

    return array_api_compat.array_namespace(*arrays)


def is_torch(array: Array) -> bool:
    return "torch" in sys.modules and isinstance(array, sys.modules["torch"].Tensor)


def like(values: np.ndarray | float, reference: Array, dtype: Any = None) -> Array:
    """NumPy values as an array of the reference's kind, device and (by default) type."""
    if is_torch(reference):
        import torch

        return torch.as_tensor(np.asarray(values), dtype=dtype or reference.dtype, device=reference.device)
    return np.asarray(values, dtype=dtype or reference.dtype)


def to_numpy(array: Array) -> np.ndarray:
    return array.detach().cpu().numpy() if is_torch(array) else np.asarray(array)


def as_float(array: Array, *, double: bool) -> Array:
    """The array in float64 or float32, same kind and device."""
    xp = namespace(array)
    return xp.astype(array, xp.float64 if double else xp.float32, copy=False)


def is_double(array: Array) -> bool:
    return array.dtype == namespace(array).float64


def open_image(array: Any, name: str, single_band: bool) -> tuple[Array, Callable[[Array], Any]]:
    """A caller's image as [B, C, H, W], and the way back for a result of any band count.

    Takes NumPy arrays, torch tensors and xarray DataArrays: [H, W] or [1, H, W] for PAN, [C, h, w] for MS,
    or batched [B, C, H, W]. The way back drops the batch axis where there was none.
    """
    if hasattr(array, "dims") and hasattr(array, "values"):
        array = array.values
    if not (isinstance(array, np.ndarray) or is_torch(array)):
        raise InputError(
            f"{name} must be a NumPy array, a torch tensor or an xarray DataArray, not {type(array).__name__}"
        )
    shape = tuple(array.shape)
    batched = len(shape) == 4
    if len(shape) == 2 and single_band:
        array = array[None, None]
    elif len(shape) == 3:
        array = array[None]
    elif not batched:
        expected = "[H, W], [1, H, W] or [B, 1, H, W]" if single_band else "[C, h, w] or [B, C, h, w]"
        raise InputError(f"{name} has shape {shape}: expected {expected}")
    if single_band and array.shape[1] != 1:
        raise InputError(f"{name} has shape {shape}: expected one band; channels come first")
    return array, (lambda result: result) if batched else (lambda result: result[0])


def close_type(result: Array, given: Array) -> Array:
    """The result in the floating type of what was given; integers give float32, unrounded."""
    xp = namespace(result)
    floating = namespace(given).isdtype(given.dtype, "real floating")
    return xp.astype(result, given.dtype if floating else xp.float32, copy=False)
