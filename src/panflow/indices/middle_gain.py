"""Middle gain: as the detail gain, of details between 1.5 and 6 PAN pixels."""

from dataclasses import dataclass
from typing import ClassVar

from panflow.indices import detail_gain


@dataclass(frozen=True)
class Index(detail_gain.Index):
    """cov(M, P) / var(P) of middle details, M the mix of the fused bands that explains PAN."""

    title: ClassVar[str] = "middle gain"
    summary: ClassVar[str] = "share of PAN's detail of some pixels' size that the fused bands show"
    octave: ClassVar[str] = "middle"
