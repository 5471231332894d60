"""D_rho: how little the fused bands follow PAN locally [scarpa2022]."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from panflow import registry
from panflow.indices._aligned import shrink_aligned
from panflow.indices._blocks import masked
from panflow.indices._case import Case, evaluate
from panflow.indices._reproject import coarse_valid
from panflow.indices._stats import Sums, mean
from panflow.indices._windows import local_correlation
from panflow.types import Array


@dataclass(frozen=True)
class Index:
    """Mean over pixels and bands of 1 - rho, rho the local correlation of a band and PAN.

    half: half the window's width in pixels, by default half the ratio. against: "pan", or "ms" (UniPAN: the
    fused image reduced by bicubic interpolation against MS, on MS's grid).
    """

    title: ClassVar[str] = "D_rho"
    unit: ClassVar[str] = ""
    better: ClassVar[str] = "lower"
    ideal: ClassVar[float] = 0.0
    needs: ClassVar[str] = "pair"
    summary: ClassVar[str] = "spatial distortion: local correlation with PAN that is missing"
    citation: ClassVar[str] = "scarpa2022"

    half: int | None = None
    against: str = "pan"

    def __post_init__(self) -> None:
        registry.closest("guide of D_rho", self.against, ("pan", "ms"))

    def __call__(self, case: Case) -> Array:
        if self.against == "pan":
            return evaluate(self, case)
        bands, valid = self._bands(case)
        return mean(sum(bands) / len(bands), valid)[:, 0]

    def parts(self, case: Case) -> tuple[Sums, ...] | None:
        if self.against == "ms":
            return None
        bands, valid = self._bands(case)
        valid = None if valid is None else case.cropped(valid)
        return (case.sums(case.cropped(sum(bands) / len(bands)), valid),)

    def value(self, means: Sequence[Array], case: Case) -> Array:
        return means[0][:, 0]

    def map(self, case: Case) -> Array:
        bands, valid = self._bands(case)
        return masked(sum(band[:, 0] for band in bands) / len(bands), valid)

    def _bands(self, case: Case) -> tuple[list[Array], Array | None]:
        """1 - rho of every band, [B, 1, H, W] each, and which pixels count."""
        pair = case.pair
        half = self.half or max(1, round((pair.ratio[0] + pair.ratio[1]) / 4))
        fused, guide, valid = case.fused, pair.pan, case.valid
        if self.against == "ms":
            fused, guide, valid = shrink_aligned(case.fused, pair.ms_size), pair.ms, coarse_valid(case)
        bands = range(fused.shape[1])
        guides = [guide] * len(bands) if guide.shape[1] == 1 else [guide[:, b : b + 1] for b in bands]
        return [1 - local_correlation(fused[:, b : b + 1], guides[b], half, valid) for b in bands], valid
