"""HQNR: hybrid quality without reference, (1 - D_lambda_K)(1 - D_s) [aiazzi2014]."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from panflow.indices import d_lambda_k, d_s
from panflow.indices._case import Case, evaluate
from panflow.indices._stats import Sums
from panflow.types import Array


@dataclass(frozen=True)
class Index:
    """(1 - D_lambda_K)(1 - D_s), both as the toolbox computes them, in blocks of `block` pixels."""

    title: ClassVar[str] = "HQNR"
    unit: ClassVar[str] = ""
    better: ClassVar[str] = "higher"
    ideal: ClassVar[float] = 1.0
    needs: ClassVar[str] = "pair"
    summary: ClassVar[str] = "hybrid quality without reference"
    citation: ClassVar[str] = "aiazzi2014"

    block: int = 32

    def __call__(self, case: Case) -> Array:
        return evaluate(self, case)

    def parts(self, case: Case) -> tuple[Sums, ...]:
        spectral, spatial = self._factors()
        return (*spectral.parts(case), *(spatial.parts(case) or ()))

    def value(self, means: Sequence[Array], case: Case) -> Array:
        spectral, spatial = self._factors()
        return (1 - spectral.value(means[:1], case)) * (1 - spatial.value(means[1:], case))

    def map(self, case: Case) -> Array:
        spectral, spatial = self._factors()
        return (1 - spectral.map(case)) * (1 - spatial.map(case))

    def _factors(self) -> tuple[d_lambda_k.Index, d_s.Index]:
        return d_lambda_k.Index(block=self.block), d_s.Index(block=self.block)
