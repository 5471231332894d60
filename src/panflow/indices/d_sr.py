"""D_sR: the part of PAN that no combination of the fused bands explains [alparone2018]."""

from dataclasses import dataclass
from typing import ClassVar

from panflow.arrays import as_float, like, namespace
from panflow.indices._blocks import masked
from panflow.indices._case import Case
from panflow.indices._stats import mean, ratio
from panflow.types import Array


@dataclass(frozen=True)
class Index:
    """var(P - sum w_b F_b) / var(P), the weights by least squares over the image, without intercept."""

    title: ClassVar[str] = "D_sR"
    unit: ClassVar[str] = ""
    better: ClassVar[str] = "lower"
    ideal: ClassVar[float] = 0.0
    needs: ClassVar[str] = "pair"
    summary: ClassVar[str] = "spatial distortion: PAN that the fused bands do not explain"
    citation: ClassVar[str] = "alparone2018"

    def __call__(self, case: Case) -> Array:
        pan = as_float(case.pair.pan, double=True)
        return ratio(_variance(_residual(case), case.valid), _variance(pan, case.valid), 0.0)

    def map(self, case: Case) -> Array:
        """The size of what is not explained, in counts."""
        return masked(namespace(case.fused).abs(_residual(case)[:, 0]), case.valid)


def _residual(case: Case) -> Array:
    """P - sum w_b F_b, [B, 1, H, W]; in float64, since normal equations square what is small."""
    xp = namespace(case.fused)
    fused, pan = as_float(case.fused, double=True), as_float(case.pair.pan, double=True)
    keep = like(1.0, pan) if case.valid is None else xp.astype(case.valid, pan.dtype)
    flat = xp.reshape(fused * keep, (*fused.shape[:2], -1))
    target = xp.reshape(pan * keep, (pan.shape[0], 1, -1))
    weights = xp.linalg.pinv(flat @ flat.mT) @ (flat @ target.mT)  # [B, C, 1]
    return pan - xp.sum(weights[..., None] * fused, axis=1, keepdims=True)


def _variance(image: Array, valid: Array | None) -> Array:
    """[B]"""
    return mean((image - mean(image, valid)[:, :, None, None]) ** 2, valid)[:, 0]
