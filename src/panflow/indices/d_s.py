"""D_s: how far fusion changes the similarity of the bands to PAN [alparone2008]."""

from dataclasses import dataclass
from typing import ClassVar

from panflow.arrays import namespace
from panflow.indices._qnr import Change
from panflow.types import Array


@dataclass(frozen=True)
class Index(Change):
    """Mean over bands of |Q(F_b, P) - Q(E_b, P_L)|, Q averaged over blocks side by side.

    variant: "toolbox" (E is MS interpolated, P_L PAN reduced by bicubic interpolation and interpolated back),
    "paper" (MS and the reduced PAN, in blocks smaller by the ratio), "2015" (P_L is PAN through its MTF) or
    "global" (UniPAN: one window).
    """

    title: ClassVar[str] = "D_s"
    summary: ClassVar[str] = "spatial distortion: similarity to PAN against that of MS to reduced PAN"
    variants: ClassVar[tuple[str, ...]] = ("toolbox", "paper", "2015", "global")

    def distance(self, difference: Array) -> Array:
        """Each band beside PAN, the last plane."""
        xp = namespace(difference)
        return xp.mean(xp.abs(difference[..., :-1, -1]), axis=-1)
