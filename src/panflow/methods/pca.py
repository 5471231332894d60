"""PCA: the first principal component of the bands is replaced by PAN [chavez1989]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from panflow.arrays import like, namespace, to_numpy
from panflow.methods._injection import (
    UNFITTED,
    combine,
    intensity_moments,
    interpolation_halo,
    matched,
    per_band,
    with_pan,
)
from panflow.ops.moments import Moments, at_pan, total
from panflow.ops.resample import ms_up
from panflow.types import YX, Array, Pair, Sharpener


@dataclass(frozen=True)
class Method(Sharpener):
    """fused_b = E_b + v_b (P' - I), I = sum v_b E_b, v the first eigenvector of the covariance of E.

    P': PAN with the mean and standard deviation of I. The sign of v makes its largest loading positive. Shapes
    [B, C, H, W], in counts.
    """

    family: ClassVar[str] = "component substitution"
    summary: ClassVar[str] = "replaces the bands' first principal component by PAN"
    citation: ClassVar[str] = "chavez1989"

    weights: Array = UNFITTED  # [B, C]
    moments: Moments = UNFITTED  # of E and P

    def halo(self, ratio: YX) -> int:
        return interpolation_halo(ratio)

    def fit(self, scene: Iterable[Pair]) -> Self:
        moments = total(scene, at_pan(with_pan))[0]
        first = namespace(moments.cov).linalg.eigh(moments.cov[:, :-1, :-1])[1][:, :, -1]
        loadings = to_numpy(first)
        largest = np.take_along_axis(loadings, np.abs(loadings).argmax(axis=1)[:, None], axis=1)
        return replace(self, weights=first * like(np.sign(largest), first), moments=moments)

    def __call__(self, pair: Pair) -> Array:
        m = self.moments
        mean, std, _ = intensity_moments(m, self.weights)
        bands = ms_up(pair)
        detail = matched(pair.pan, (m.mean[:, -1:], m.std[:, -1:]), (mean, std)) - combine(self.weights, bands)
        return bands + per_band(self.weights, bands) * detail
