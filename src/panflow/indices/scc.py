"""SCC: the correlation of the edges of fused and true bands [zhou1998]."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from panflow import registry
from panflow.arrays import namespace
from panflow.indices._case import Case, evaluate
from panflow.indices._stats import Sums, ratio
from panflow.indices._windows import margin, window_sum
from panflow.types import Array


@dataclass(frozen=True)
class Index:
    """sum(F G) / sqrt(sum F^2 sum G^2) over all pixels and bands; F, G Sobel gradients of fused and reference.

    edges: "magnitude" (the toolbox of 2021: magnitude of both directions, after one pixel is cut from every
    side) or "2015" (signed vertical differences, nothing cut). Zeros surround the image; no mean is removed. The
    paper's edges are Laplacians, which neither toolbox computes.
    """

    title: ClassVar[str] = "SCC"
    unit: ClassVar[str] = ""
    better: ClassVar[str] = "higher"
    ideal: ClassVar[float] = 1.0
    needs: ClassVar[str] = "reference"
    summary: ClassVar[str] = "correlation of edges with those of the reference"
    citation: ClassVar[str] = "zhou1998"

    edges: str = "magnitude"

    def __post_init__(self) -> None:
        registry.closest("kind of edges", self.edges, ("magnitude", "2015"))

    def __call__(self, case: Case) -> Array:
        return evaluate(self, case)

    def parts(self, case: Case) -> tuple[Sums, ...]:
        xp = namespace(case.fused)
        cut = 1 if self.edges == "magnitude" else 0
        inside = (..., slice(cut, case.fused.shape[-2] - cut), slice(cut, case.fused.shape[-1] - cut))
        valid = None
        if case.valid is not None:  # gradients that saw an invalid pixel do not count
            spoilt = xp.astype(~case.valid[inside], case.fused.dtype)
            valid = window_sum(margin(spoilt, 1, 1, 1, 1), (3, 3)) == 0
            valid = case.cropped(valid, cut)
        parts = []
        for b in range(case.fused.shape[1]):  # band by band: what is small stays in the cache
            f, g = (self._gradient(image[:, b : b + 1][inside]) for image in (case.fused, case.reference))
            f, g = case.cropped(f, cut), case.cropped(g, cut)
            parts.append(case.sums(xp.concat([f * g, f * f, g * g], axis=1), valid))
        return (Sums(sum(part.total for part in parts), parts[0].weight),)

    def value(self, means: Sequence[Array], case: Case) -> Array:
        xp = namespace(means[0])
        both, fused, reference = (means[0][:, k] for k in range(3))
        return ratio(both, xp.sqrt(fused * reference), 0.0)

    def _gradient(self, image: Array) -> Array:
        xp = namespace(image)
        framed = margin(image, 1, 1, 1, 1)
        across = framed[..., :-2] + 2 * framed[..., 1:-1] + framed[..., 2:]
        vertical = across[..., :-2, :] - across[..., 2:, :]
        if self.edges == "2015":
            return vertical
        down = framed[..., :-2, :] + 2 * framed[..., 1:-1, :] + framed[..., 2:, :]
        return xp.sqrt(vertical**2 + (down[..., :-2] - down[..., 2:]) ** 2)
