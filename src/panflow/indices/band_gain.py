"""Band gain: whether every visible band has its share of PAN's fine detail."""

from dataclasses import dataclass
from typing import ClassVar

from panflow.indices._band_details import BandDetails
from panflow.indices._details import share
from panflow.types import Array


@dataclass(frozen=True)
class Index(BandDetails):
    """Least over the visible bands of sum(d e) / sum(e e): the fused band's fine detail d by what its local regression
    on PAN, where the MS sensor sees both, expects of it, e (`_band_details`)."""

    title: ClassVar[str] = "band gain"
    better: ClassVar[str] = "nearest"
    summary: ClassVar[str] = "share of the expected fine detail in the visible band that has least of it"

    def measure(self, fused: Array, both: Array, expected: Array) -> Array:
        return share(both, expected)
