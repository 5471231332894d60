"""QNR: quality without reference, (1 - D_lambda)(1 - D_s) [alparone2008]."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from panflow import registry
from panflow.indices import d_lambda, d_s
from panflow.indices._case import Case
from panflow.indices._stats import Sums
from panflow.types import Array


@dataclass(frozen=True)
class Index:
    """(1 - D_lambda)(1 - D_s); variant as in both ("2015" is D_s alone: D_lambda is then the toolbox's)."""

    title: ClassVar[str] = "QNR"
    unit: ClassVar[str] = ""
    better: ClassVar[str] = "higher"
    ideal: ClassVar[float] = 1.0
    needs: ClassVar[str] = "pair"
    summary: ClassVar[str] = "quality without reference"
    citation: ClassVar[str] = "alparone2008"

    variant: str = "toolbox"
    block: int = 32

    def __post_init__(self) -> None:
        registry.closest("variant of QNR", self.variant, ("toolbox", "paper", "2015", "global"))

    def __call__(self, case: Case) -> Array:
        spectral, spatial = self._factors()
        return (1 - spectral(case)) * (1 - spatial(case))

    def parts(self, case: Case) -> tuple[Sums, ...] | None:
        spectral, spatial = (index.parts(case) for index in self._factors())
        return spectral and spatial and (*spectral, *spatial)

    def value(self, means: Sequence[Array], case: Case) -> Array:
        spectral, spatial = self._factors()
        return (1 - spectral.value(means[:2], case)) * (1 - spatial.value(means[2:], case))

    def map(self, case: Case) -> Array:
        spectral, spatial = self._factors()
        return (1 - spectral.map(case)) * (1 - spatial.map(case))

    def _factors(self) -> tuple[d_lambda.Index, d_s.Index]:
        spectral = "toolbox" if self.variant == "2015" else self.variant
        return d_lambda.Index(spectral, self.block), d_s.Index(self.variant, self.block)
