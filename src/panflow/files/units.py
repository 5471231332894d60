"""Physical units, which scale and offset tags of bands give, and counts, which files hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from panflow import registry
from panflow.errors import InputError

CHOICES = "auto", "counts", "physical"


@dataclass(frozen=True)
class Units:
    """physical = scale * count + offset, by band."""

    scales: tuple[float, ...]
    offsets: tuple[float, ...]

    def physical(self, image: np.ndarray) -> np.ndarray:
        """Of counts [C, H, W]."""
        scales, offsets = self._columns(image)
        return image * scales + offsets

    def counts(self, image: np.ndarray) -> np.ndarray:
        """Of physical values [C, H, W]."""
        scales, offsets = self._columns(image)
        return (image - offsets) / scales

    def _columns(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scales, offsets = (np.array(v, image.dtype)[:, None, None] for v in (self.scales, self.offsets))
        return scales, offsets


def chosen(choice: str, pan: Units, scales: Sequence[float], offsets: Sequence[float]) -> Units | None:
    """The units of MS, by its tags, that are computed in beside those of PAN; None: counts. Raises UnknownName, and
    InputError where tags are asked for that are not there, or tell nothing."""
    registry.closest("units", choice, CHOICES)
    ms = Units(tuple(scales), tuple(offsets))
    tagged = any(scale != 1 for scale in (*pan.scales, *ms.scales)) or any((*pan.offsets, *ms.offsets))
    if choice == "physical" and not tagged:
        raise InputError("units physical: expected scale or offset tags in PAN or MS, came none")
    if choice == "counts" or not tagged:
        return None
    if not np.all([*pan.scales, *ms.scales]):
        raise InputError("a band has a scale of 0, from which counts cannot be taken back: give --units counts")
    return ms
