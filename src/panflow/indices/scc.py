"""SCC: the correlation of the edges of fused and true bands [zhou1998]."""

from dataclasses import dataclass
from typing import ClassVar

from panflow.arrays import namespace
from panflow.indices._case import Case
from panflow.indices._stats import mean, ratio
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

    def __call__(self, case: Case) -> Array:
        xp = namespace(case.fused)
        f, g, valid = case.fused, case.reference, case.valid
        if self.edges == "magnitude":
            f, g = f[..., 1:-1, 1:-1], g[..., 1:-1, 1:-1]
            valid = None if valid is None else valid[..., 1:-1, 1:-1]
        f, g = self._gradient(f), self._gradient(g)
        if valid is not None:  # gradients that saw an invalid pixel do not count
            spoilt = window_sum(margin(xp.astype(~valid, f.dtype), 1, 1, 1, 1), (3, 3))
            valid = spoilt == 0
        power = xp.sum(mean(f * f, valid), axis=1) * xp.sum(mean(g * g, valid), axis=1)
        return ratio(xp.sum(mean(f * g, valid), axis=1), xp.sqrt(power), 0.0)

    def _gradient(self, image: Array) -> Array:
        xp = namespace(image)
        framed = margin(image, 1, 1, 1, 1)
        across = framed[..., :-2] + 2 * framed[..., 1:-1] + framed[..., 2:]
        vertical = across[..., :-2, :] - across[..., 2:, :]
        if self.edges == "2015":
            return vertical
        down = framed[..., :-2, :] + 2 * framed[..., 1:-1, :] + framed[..., 2:, :]
        return xp.sqrt(vertical**2 + (down[..., :-2] - down[..., 2:]) ** 2)
