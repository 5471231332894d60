"""Bicubic reduction whose corner pixels coincide, without antialiasing, as UniPAN's evaluation does it."""

import numpy as np

from panflow.ops.banded import Banded, apply_terms
from panflow.types import Array

SHARPNESS = -0.75  # of Keys' cubic, as torch's bicubic interpolation has it; MATLAB's has -0.5


def shrink_aligned(image: Array, size: tuple[int, int]) -> Array:
    """[..., H, W] at `size` points between its corner pixels, edges repeated."""
    rows, columns = (_aligned(n, outputs) for n, outputs in zip(image.shape[-2:], size))
    return apply_terms(image, [(rows, columns)])


def _aligned(size: int, outputs: int) -> Banded:
    position = np.arange(outputs) * ((size - 1) / max(outputs - 1, 1))
    start = np.floor(position).astype(int) - 1
    x = np.abs(start[:, None] + np.arange(4) - position[:, None])
    a = SHARPNESS
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * (x**3 - 5 * x**2 + 8 * x - 4)
    return Banded(start, np.where(x <= 1, near, far), size, "edge")
