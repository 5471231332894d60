"""Details of the fused bands against PAN's, in octaves of the PAN grid, as sums of products.

Images are parted by Gaussians of standard deviation NARROW and WIDE PAN pixels: fine details are what the first takes
away, middle ones what lies between the two. PAN is compared with M = sum w_b F_b + c, the mix of the fused bands that
explains it best where both are low-passed by WIDE: so the weights are those of the colours, not of the details.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil
from typing import ClassVar

import numpy as np

from panflow.arrays import as_float, namespace
from panflow.indices._case import Case, evaluate
from panflow.indices._stats import Sums, cells, ratio
from panflow.ops.kernels import Separable
from panflow.ops.resample import lowpass
from panflow.types import Array

NARROW, WIDE = 1.5, 6.0  # PAN pixels
VISIBLE = 700.0  # nm
OCTAVES = ("fine", "middle")


@cache
def gaussian(sigma: float) -> Separable:
    """A Gaussian of unit sum out to four standard deviations."""
    reach = ceil(4 * sigma)
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return Separable(((tuple(taps / taps.sum()),) * 2,))


@dataclass(frozen=True)
class Details:
    """An index of the details of M [B, 1, H, W] against PAN's."""

    title: ClassVar[str]
    summary: ClassVar[str]
    unit: ClassVar[str] = ""
    better: ClassVar[str] = "nearest"
    ideal: ClassVar[float] = 1.0
    needs: ClassVar[str] = "pair"
    citation: ClassVar[str] = "alparone2018"
    octave: ClassVar[str] = "fine"

    def __call__(self, case: Case) -> Array:
        return evaluate(self, case)

    def parts(self, case: Case) -> tuple[Sums, ...]:
        """Of the products of the low-passed F, P and 1, and of the octave's F and P."""
        low, *octaves = case.once("octaves", lambda: octaves_of(case))
        products, details = (_products(case, image) for image in (low, octaves[OCTAVES.index(self.octave)]))
        count = products[..., -1:, -1:]
        return Sums(products, count), Sums(details, count)

    def value(self, means: Sequence[Array], case: Case) -> Array:
        low, details = (namespace(x).where(namespace(x).isnan(x), namespace(x).zeros_like(x), x) for x in means)
        weights = _weights(low)
        mixed = (weights[:, None] @ details[:, :-1, :-1] @ weights[:, :, None])[:, 0, 0]
        both = (weights[:, None] @ details[:, :-1, -1:])[:, 0, 0]
        return self.measure(mixed, both, details[:, -1, -1])

    def measure(self, mixed: Array, both: Array, pan: Array) -> Array:
        """The index [B], of the mean products of M with itself, of M with PAN, and of PAN with itself."""
        raise NotImplementedError


def octaves_of(case: Case) -> tuple[Array, Array, Array]:
    """F, P and 1 [B, C + 2, H, W], low-passed by WIDE, and the fine and the middle details of F and P; 0 near what is
    not valid; in float64, since normal equations square what is small."""
    xp = namespace(case.fused)
    planes = xp.concat([as_float(image, double=True) for image in (case.fused, case.pair.pan)], axis=1)
    narrow, wide = lowpass(planes, gaussian(NARROW)), lowpass(planes, gaussian(WIDE))
    low, counted = xp.concat([wide, xp.ones_like(wide[:, :1])], axis=1), clear(case)
    if counted is None:
        return low, planes - narrow, narrow - wide
    keep = xp.astype(counted, planes.dtype)
    return low * keep, (planes - narrow) * keep, (narrow - wide) * keep


def clear(case: Case, sigma: float = WIDE) -> Array | None:
    """Pixels around which next to none is invalid in a Gaussian window, [B, 1, H, W]; None where all are valid."""
    if case.valid is None:
        return None
    share = lowpass(as_float(case.valid, double=True), gaussian(sigma))
    return case.valid & (share > 0.99)


def visible(case: Case) -> list[int]:
    """The visible bands, among them those of unknown wavelength; all where there is none."""
    bands = [k for k, band in enumerate(case.sensor.bands) if not band.wavelength > VISIBLE]
    return bands or list(range(case.fused.shape[1]))


def _products(case: Case, planes: Array) -> Array:
    """Sums of the products of planes [B, K, H, W] with each other by cells of the core, [cells, B, K, K]."""
    inner, xp = case.cropped(planes), namespace(planes)
    flat = [xp.reshape(inner[at], (*inner.shape[:2], -1)) for at in cells(inner.shape, case.cell)]
    return xp.stack([part @ part.mT for part in flat])


def _weights(low: Array) -> Array:
    """Of the bands [B, C] in their regression of PAN with an intercept, of mean products [B, C + 2, C + 2]."""
    xp = namespace(low)
    mean = low[:, :-1, -1]
    covariance = low[:, :-1, :-1] - mean[:, :, None] * mean[:, None, :]
    scale = xp.sqrt(xp.clip(xp.linalg.diagonal(covariance)[:, :-1], 0, None))
    scale = xp.where(scale > 0, scale, xp.ones_like(scale))
    normal = covariance[:, :-1, :-1] / scale[:, :, None] / scale[:, None, :]
    return (xp.linalg.pinv(normal, rtol=1e-9) @ (covariance[:, :-1, -1] / scale)[:, :, None])[:, :, 0] / scale


def share(part: Array, whole: Array) -> Array:
    """part / whole, nan where there are no details."""
    return ratio(part, whole, float("nan"))
