"""ESRI: ArcGIS' method, PAN minus a weighted mean of the bands is added [arcgis]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from panflow.methods._injection import combine
from panflow.methods._weights import Weighted, Weights
from panflow.ops.moments import total
from panflow.ops.resample import ms_up
from panflow.types import Array, Pair


@dataclass(frozen=True)
class Method(Weighted):
    """fused_b = E_b + P - sum w_c E_c / sum w_c.

    `weights` w: as `_weights.Weights` takes them (ArcGIS offers 0.166, 0.167, 0.167, 0.5 for red, green, blue, infrared
    of QuickBird). PAN is not matched to MS, as in the tool: both have to be on one scale of counts. Shapes
    [B, C, H, W], in counts.
    """

    family: ClassVar[str] = "component substitution"
    summary: ClassVar[str] = "adds what PAN has over the bands' weighted mean, unmatched (ArcGIS)"
    citation: ClassVar[str] = "arcgis"

    def fit(self, scene: Iterable[Pair]) -> Self:
        weights = Weights(self.weights)
        share = weights.value(*total(scene, weights.coarse))
        return replace(self, share=share, chosen=weights.chosen)

    def __call__(self, pair: Pair) -> Array:
        bands = ms_up(pair)
        return bands + pair.pan - combine(self.share, bands)
