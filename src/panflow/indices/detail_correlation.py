"""Detail correlation: whether the fine detail of the fused bands is PAN's."""

from dataclasses import dataclass
from typing import ClassVar

from panflow.arrays import namespace
from panflow.indices._details import Details, share
from panflow.types import Array


@dataclass(frozen=True)
class Index(Details):
    """cov(M, P) / (std(M) std(P)) of fine details, M the mix of the fused bands that explains PAN."""

    title: ClassVar[str] = "detail correlation"
    better: ClassVar[str] = "higher"
    citation: ClassVar[str] = "zhou1998"
    summary: ClassVar[str] = "correlation of the fused bands' fine detail with PAN's"

    def measure(self, mixed: Array, both: Array, pan: Array) -> Array:
        root = namespace(pan).sqrt
        return share(both, root(namespace(pan).clip(mixed, 0, None)) * root(pan))
