"""D_lambda_K: how far the fused image, seen through the sensor's MTF, is from MS [khan2009]."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from panflow import registry
from panflow.indices import q2n
from panflow.indices._case import Case, evaluate
from panflow.indices._reproject import reprojected, untouched
from panflow.indices._stats import Sums
from panflow.ops.kernels import mtf
from panflow.ops.resample import by_band, lowpass, ms_up, precision
from panflow.types import Array


@dataclass(frozen=True)
class Index:
    """1 - Q2n(E, MTF(F)).

    scale: "pan" (the toolbox: E is MS interpolated, F filtered and not decimated) or "ms" (Khan's consistency
    as other packages compute it: E is MS, F filtered with unit sum and decimated at the pair's phase).
    """

    title: ClassVar[str] = "D_lambda_K"
    unit: ClassVar[str] = ""
    better: ClassVar[str] = "lower"
    ideal: ClassVar[float] = 0.0
    needs: ClassVar[str] = "pair"
    summary: ClassVar[str] = "spectral distortion: consistency with MS after the sensor's MTF"
    citation: ClassVar[str] = "khan2009"

    scale: str = "pan"
    block: int = 32

    def __post_init__(self) -> None:
        registry.closest("scale of D_lambda_K", self.scale, ("pan", "ms"))

    def __call__(self, case: Case) -> Array:
        return evaluate(self, case)

    def parts(self, case: Case) -> tuple[Sums, ...]:
        return case.once(("khan", self.scale, self.block), lambda: q2n.Index(self.block).parts(self._case(case)))

    def value(self, means: Sequence[Array], case: Case) -> Array:
        return 1 - means[0]

    def map(self, case: Case) -> Array:
        """At the scale of the variant."""
        return 1 - q2n.Index(self.block).map(self._case(case))

    def _case(self, case: Case) -> Case:
        return reprojected(case, "nominal") if self.scale == "ms" else case.once("filtered", lambda: _filtered(case))


def _filtered(case: Case) -> Case:
    """MS interpolated as the reference of the fused image behind the sensor's MTF, at PAN scale."""
    pair = case.pair

    def see(image: Array) -> Array:
        return by_band(image, pair.sensor.gains, one)

    def one(bands: Array, gain: Any) -> Array:
        return lowpass(bands, mtf(gain, pair.ratio, precision(bands)))

    reference = case.once("ms_up", lambda: ms_up(pair))
    return replace(case, fused=see(case.fused), reference=reference, valid=untouched(case, see), cache={})
