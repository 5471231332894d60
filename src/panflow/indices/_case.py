"""What an index is given, and what an index is."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol

from panflow.types import YX, Array, Pair, Sensor


@dataclass(frozen=True)
class Case:
    """A fused image beside what it is judged by.

    fused [B, C, H, W]; reference [B, C, H, W] or None; pair (PAN and MS) or None; ratio: PAN pixels per MS
    pixel; valid [B, 1, H, W]: the pixels that count, None for all of them. What several indices need is made
    once (`once`).
    """

    fused: Array
    sensor: Sensor
    ratio: YX
    reference: Array = None
    pair: Pair = None  # type: ignore[assignment]  # where an index needs it, it is there: see `Index.needs`
    valid: Array | None = None
    made: dict[Hashable, Any] = field(default_factory=dict, compare=False, repr=False)

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """`make()`, kept under a key."""
        if key not in self.made:
            self.made[key] = make()
        return self.made[key]

    def cut(self, edge: int) -> Case:
        """The case without a margin: edge - 1 pixels at the top and left, edge at the bottom and right.

        The lopsided margin is that of the field's toolbox (its `dim_cut`); pair and reference belong to
        different protocols, so only fused, reference and valid are cut.
        """
        if edge < 1:
            return self
        height, width = self.fused.shape[-2:]
        inside = (..., slice(edge - 1, height - edge), slice(edge - 1, width - edge))
        return replace(
            self,
            fused=self.fused[inside],
            reference=None if self.reference is None else self.reference[inside],
            valid=None if self.valid is None else self.valid[inside],
            pair=None,  # type: ignore[arg-type]
            made={},
        )


class Index(Protocol):
    """A quality index: a frozen dataclass `Index` in a file of its own; its fields are the named variants.

    Local indices also have `map(case)`: [B, H, W], nan where nothing is defined; indices of blocks repeat each
    block's value over its pixels.
    """

    title: ClassVar[str]
    unit: ClassVar[str]  # "" where there is none
    better: ClassVar[str]  # "lower" or "higher"
    ideal: ClassVar[float]  # the value of a perfect image
    needs: ClassVar[str]  # "reference" or "pair"
    summary: ClassVar[str]
    citation: ClassVar[str]

    def __call__(self, case: Case) -> Array:
        """One value an image, [B]."""
        ...
