"""What an index is given, and what an index is."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol, runtime_checkable

from panflow.indices._stats import Sums, sums
from panflow.indices._windows import margin
from panflow.types import YX, Array, Pair, Sensor

CELL = 256  # pixels of the cells by which sums are kept


@dataclass(frozen=True)
class Case:
    """A fused image beside what it is judged by.

    fused [B, C, H, W]; reference [B, C, H, W] or None; pair (PAN and MS) or None; ratio: PAN pixels per MS
    pixel; valid [B, 1, H, W]: the pixels that count, None for all of them; core (rows, columns): the pixels that are
    the case's where it is a tile of a scene, and what lies around is context. What several indices need is
    computed once (`once`).
    """

    fused: Array
    sensor: Sensor
    ratio: YX
    reference: Array = None
    pair: Pair = None  # type: ignore[assignment]  # where an index needs it, it is there: see `Index.needs`
    valid: Array | None = None
    core: tuple[slice, slice] = (slice(None), slice(None))
    cell: int = CELL
    cache: dict[Hashable, Any] = field(default_factory=dict, compare=False, repr=False)

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """`make()`, kept under a key."""
        if key not in self.cache:
            self.cache[key] = make()
        return self.cache[key]

    def cropped(self, image: Array, before: int = 0) -> Array:
        """The core's part of an image [..., H, W], which begins `before` pixels inside the case."""
        if self.core == (slice(None), slice(None)):
            return image
        rows, columns = (slice(max(s.start - before, 0), max(s.stop - before, 0)) for s in self.core)
        return image[..., rows, columns]

    def inner(self) -> Case:
        """The core alone, of fused, reference and valid."""
        return self._crop(self.cropped)

    def framed(self, local: Array) -> Array:
        """A map [B, n, m] of the core as one of the case, nan around."""
        if self.core == (slice(None), slice(None)):
            return local
        (height, width), (rows, columns) = self.fused.shape[-2:], self.core
        return margin(local, rows.start, height - rows.stop, columns.start, width - columns.stop, float("nan"))

    def sums(self, values: Array, weight: Array | None = None, step: int = 1, unit: float = 1.0) -> Sums:
        """Sums by cells of values [..., n, m] of the core, one every `step` pixels.

        weight: valid pixels behind each value, None where all are: then `unit`, so that tiles with and without holes
        add up.
        """
        return sums(values, weight, max(1, round(self.cell / step)), unit)

    def cut(self, edge: int) -> Case:
        """The case without a margin: edge - 1 pixels at the top and left, edge at the bottom and right.

        The lopsided margin is that of the field's toolbox (its `dim_cut`); pair and reference belong to
        different protocols, so only fused, reference and valid are cut.
        """
        if edge < 1:
            return self
        height, width = self.fused.shape[-2:]
        return self._crop(lambda image: image[..., edge - 1 : height - edge, edge - 1 : width - edge])

    def _crop(self, inside: Callable[[Array], Array]) -> Case:
        return replace(
            self,
            fused=inside(self.fused),
            reference=None if self.reference is None else inside(self.reference),
            valid=None if self.valid is None else inside(self.valid),
            pair=None,  # type: ignore[arg-type]
            core=(slice(None), slice(None)),
            cache={},
        )


class Index(Protocol):
    """A quality index: a frozen dataclass `Index` in a file; its fields are the named variants.

    An index that is a function of means over pixels or blocks also has `parts(case)`, the sums of these by cells of
    the case's core, and `value(means, case)`, [B], so that a scene's value is exact from tiles; `parts` is None for
    variants that need the whole image at once.

    Local indices also have `map(case)`: [B, H, W], nan where nothing is defined; indices of blocks repeat each
    block's value over its pixels.
    """

    title: ClassVar[str]
    unit: ClassVar[str]  # "" where there is none
    better: ClassVar[str]  # "lower", "higher" or "nearest" (to the ideal)
    ideal: ClassVar[float]  # the value of a perfect image
    needs: ClassVar[str]  # "reference" or "pair"
    summary: ClassVar[str]
    citation: ClassVar[str]

    def __call__(self, case: Case) -> Array:
        """One value an image, [B]."""
        ...


def shortfall(value: float, better: str, ideal: float) -> float:
    """How far a value of an index is from good, to rank by: the lower, the better."""
    return {"higher": -value, "nearest": abs(value - ideal)}.get(better, value)


def direction(index: Index) -> str:
    """Which values are better, for people."""
    return f"near {index.ideal:g} is better" if index.better == "nearest" else f"{index.better} is better"


@runtime_checkable
class Additive(Index, Protocol):
    """An index that is a function of means."""

    def parts(self, case: Case) -> tuple[Sums, ...] | None: ...

    def value(self, means: Sequence[Array], case: Case) -> Array: ...


@runtime_checkable
class Local(Index, Protocol):
    """An index that has a map."""

    def map(self, case: Case) -> Array: ...


def evaluate(index: Additive, case: Case) -> Array:
    """The index of one image, from its parts."""
    parts = index.parts(case)
    assert parts is not None
    return index.value([part.mean for part in parts], case)
