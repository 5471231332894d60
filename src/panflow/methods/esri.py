"""ESRI: ArcGIS' method, PAN minus a weighted mean of the bands is added [arcgis]."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from panflow.arrays import like
from panflow.errors import InputError
from panflow.methods._injection import combine
from panflow.ops.resample import ms_up
from panflow.types import YX, Array, Pair, Sharpener


@dataclass(frozen=True)
class Method(Sharpener):
    """fused_b = E_b + P - sum w_c E_c / sum w_c.

    `weights`: one a band (ArcGIS offers 0.166, 0.167, 0.167, 0.5 for red, green, blue, infrared of QuickBird);
    None: all equal. PAN is not matched to MS, as in the tool: both have to be on one scale of counts. Shapes
    [B, C, H, W], in counts. Raises InputError where there are not as many weights as bands.
    """

    family: ClassVar[str] = "component substitution"
    summary: ClassVar[str] = "adds what PAN has over the bands' weighted mean, unmatched (ArcGIS)"
    citation: ClassVar[str] = "arcgis"

    weights: tuple[float, ...] | None = None

    def halo(self, ratio: YX) -> int:
        return 0

    def fit(self, scene: Iterable[Pair]) -> Self:
        return self

    def __call__(self, pair: Pair) -> Array:
        weights = self.weights or (1.0,) * pair.bands
        if len(weights) != pair.bands:
            raise InputError(f"esri has {len(weights)} weights for {pair.bands} bands: expected one a band")
        bands = ms_up(pair)
        share = like(np.array(weights)[None] / sum(weights), bands)
        return bands + pair.pan - combine(share, bands)
