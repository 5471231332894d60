"""What people check by eye, in numbers: does the fused image, seen by the MS sensor, say what MS says?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from panflow.indices._case import Case
from panflow.indices._reproject import reprojected
from panflow.indices._stats import ratio
from panflow.scene._statistics import Parts

# (a - b) / (a + b): NDVI [tucker1979], NDWI of open water [mcfeeters1996]
DIFFERENCES = {"ndvi": ("nir", "red"), "ndwi": ("green", "nir")}


def look(case: Case) -> Parts:
    """Sums at MS scale, over the MS pixels of the case's core: of the squared residual and of MS by band, then of
    every normalised difference's change, its square, and its value in MS."""
    seen = reprojected(case, "nominal")  # the filter has unit sum: a flat image leaves no residual
    inner = seen.inner()
    parts = [seen.sums((inner.fused - inner.reference) ** 2, inner.valid), seen.sums(inner.reference, inner.valid)]
    for a, b in _bands(case).values():
        before, after = (ratio(x[:, a] - x[:, b], x[:, a] + x[:, b], 0.0) for x in (inner.reference, inner.fused))
        planes = np.stack([after - before, (after - before) ** 2, before], axis=1)
        parts.append(seen.sums(planes, inner.valid))
    return tuple(parts)


def _bands(case: Case) -> dict[str, tuple[int, int]]:
    """The two bands of every normalised difference that the sensor has."""
    names = [{"nir1": "nir"}.get(band.name, band.name) for band in case.sensor.bands]
    return {key: (names.index(a), names.index(b)) for key, (a, b) in DIFFERENCES.items() if {a, b} <= set(names)}


def consistency(parts: Parts, names: Sequence[str]) -> list[dict[str, Any]]:
    """Of every band: RMSE in counts, and relative to the mean of MS."""
    rmse, level = np.sqrt(parts[0].mean[0]), parts[1].mean[0]
    relative = ratio(rmse, level, float("nan"))
    return [{"band": n, "rmse": float(e), "relative": float(r)} for n, e, r in zip(names, rmse, relative)]


def drift(parts: Parts, facts: Case) -> dict[str, dict[str, float]]:
    """Of every normalised difference: mean and root mean square of its change, and its mean in MS."""
    changes = {}
    for key, part in zip(_bands(facts), parts[2:]):
        mean, square, level = part.mean[0]
        changes[key] = {"mean": float(mean), "rms": float(np.sqrt(square)), "ms": float(level)}
    return changes
