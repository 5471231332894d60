"""Detail gain: how much of PAN's fine detail the fused bands show."""

from dataclasses import dataclass
from typing import ClassVar

from panflow.indices._details import Details, share
from panflow.types import Array


@dataclass(frozen=True)
class Index(Details):
    """cov(M, P) / var(P) of fine details, M the mix of the fused bands that explains PAN."""

    title: ClassVar[str] = "detail gain"
    summary: ClassVar[str] = "share of PAN's fine detail that the fused bands show; above 1 it is exaggerated"

    def measure(self, mixed: Array, both: Array, pan: Array) -> Array:
        return share(both, pan)
