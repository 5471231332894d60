"""D_sR: the part of PAN that no combination of the fused bands explains [alparone2018]."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from panflow.arrays import as_float, namespace
from panflow.indices._blocks import masked
from panflow.indices._case import Case, evaluate
from panflow.indices._stats import Sums, cells, ratio
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
        return evaluate(self, case)

    def parts(self, case: Case) -> tuple[Sums, ...]:
        """Of the products of F, P and 1 with each other."""
        xp, planes = namespace(case.fused), case.cropped(_planes(case))
        total = xp.stack([_products(planes[at]) for at in cells(planes.shape, case.cell)])
        return (Sums(total, total[..., -1:, -1:]),)

    def value(self, means: Sequence[Array], case: Case) -> Array:
        (products,) = means
        pan = namespace(products).zeros_like(products[:, 0])
        pan[:, -2] = 1
        return ratio(_variance(products, _residual(products)), _variance(products, pan), 0.0)

    def map(self, case: Case) -> Array:
        """The size of what is not explained, in counts."""
        planes, xp = _planes(case), namespace(case.fused)
        residual = _residual(_products(case.cropped(planes)))
        return masked(xp.abs(xp.sum(residual[:, :, None, None] * planes, axis=1)), case.valid)


def _planes(case: Case) -> Array:
    """F, P and 1, [B, C + 2, H, W], zero where invalid; in float64, since normal equations square what is small."""
    xp = namespace(case.fused)
    fused, pan = as_float(case.fused, double=True), as_float(case.pair.pan, double=True)
    planes = xp.concat([fused, pan, xp.ones_like(pan)], axis=1)
    return planes if case.valid is None else planes * xp.astype(case.valid, planes.dtype)


def _products(planes: Array) -> Array:
    """Sums of the products of the planes, [B, C + 2, C + 2]."""
    flat = namespace(planes).reshape(planes, (*planes.shape[:2], -1))
    return flat @ flat.mT


def _residual(products: Array) -> Array:
    """What combination of F, P and 1 is P - sum w_b F_b, [B, C + 2]."""
    xp = namespace(products)
    products = xp.where(xp.isnan(products), xp.zeros_like(products), products)  # where nothing is valid
    weights = xp.linalg.pinv(products[:, :-2, :-2]) @ products[:, :-2, -2:-1]
    one = xp.ones_like(products[:, 0, :1])
    return xp.concat([-weights[:, :, 0], one, 0 * one], axis=1)


def _variance(products: Array, combination: Array) -> Array:
    """Of a combination of the planes, [B], from the means of their products."""
    xp = namespace(products)
    square = (combination[:, None] @ products @ combination[:, :, None])[:, 0, 0]
    mean = xp.sum(combination * products[:, -1], axis=1)
    return xp.clip(square - mean**2, 0, None)
