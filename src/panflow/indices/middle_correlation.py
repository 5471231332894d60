"""Middle correlation: as the detail correlation, of details between 1.5 and 6 PAN pixels."""

from dataclasses import dataclass
from typing import ClassVar

from panflow.indices import detail_correlation


@dataclass(frozen=True)
class Index(detail_correlation.Index):
    """cov(M, P) / (std(M) std(P)) of middle details, M the mix of the fused bands that explains PAN."""

    title: ClassVar[str] = "middle correlation"
    summary: ClassVar[str] = "correlation of the fused bands' detail of some pixels' size with PAN's"
    octave: ClassVar[str] = "middle"
