"""EXP: MS interpolated to the PAN grid, nothing injected. The baseline of every table [aiazzi2002]."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

from panflow.ops.resample import ms_up
from panflow.types import YX, Array, Pair, Sharpener


@dataclass(frozen=True)
class Method(Sharpener):
    """fused = ms_up: 23-tap polynomial interpolation at the true phase, [B, C, H, W] in counts."""

    family: ClassVar[str] = "interpolation"
    summary: ClassVar[str] = "interpolates MS; injects nothing"
    citation: ClassVar[str] = "aiazzi2002"

    def halo(self, ratio: YX) -> int:
        return 0

    def fit(self, scene: Iterable[Pair]) -> Self:
        return self

    def __call__(self, pair: Pair) -> Array:
        return ms_up(pair)
