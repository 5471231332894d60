"""HQNR: hybrid quality without reference, (1 - D_lambda_K)(1 - D_s) [aiazzi2014]."""

from dataclasses import dataclass
from typing import ClassVar

from panflow.indices import d_lambda_k, d_s
from panflow.indices._case import Case
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
        return (1 - d_lambda_k.Index(block=self.block)(case)) * (1 - d_s.Index(block=self.block)(case))

    def map(self, case: Case) -> Array:
        return (1 - d_lambda_k.Index(block=self.block).map(case)) * (1 - d_s.Index(block=self.block).map(case))
