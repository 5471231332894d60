"""Simple mean of each band and PAN, ArcGIS' plainest method [arcgis]."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

from panflow.ops.resample import ms_up
from panflow.types import YX, Array, Pair, Sharpener


@dataclass(frozen=True)
class Method(Sharpener):
    """fused_b = (E_b + P) / 2.

    PAN is not matched to MS, as in the tool: both have to be on one scale of counts. Shapes [B, C, H, W], in
    counts.
    """

    family: ClassVar[str] = "component substitution"
    summary: ClassVar[str] = "averages each band with PAN, unmatched (ArcGIS)"
    citation: ClassVar[str] = "arcgis"

    def halo(self, ratio: YX) -> int:
        return 0

    def fit(self, scene: Iterable[Pair]) -> Self:
        return self

    def __call__(self, pair: Pair) -> Array:
        return (ms_up(pair) + pair.pan) / 2
