"""Band correlation: whether the fine detail of every visible band is PAN's."""

from dataclasses import dataclass
from typing import ClassVar

from panflow.arrays import namespace
from panflow.indices._band_details import BandDetails
from panflow.indices._details import share
from panflow.types import Array


@dataclass(frozen=True)
class Index(BandDetails):
    """Least over the visible bands of sum(d e) / sqrt(sum(d d) sum(e e)): the fused band's fine detail d and what its
    local regression on PAN, where the MS sensor sees both, expects of it, e (`_band_details`)."""

    title: ClassVar[str] = "band correlation"
    better: ClassVar[str] = "higher"
    summary: ClassVar[str] = "correlation of fine detail with the expected in the visible band that has least of it"

    def measure(self, fused: Array, both: Array, expected: Array) -> Array:
        root = namespace(both).sqrt
        return share(both, root(fused) * root(expected))
