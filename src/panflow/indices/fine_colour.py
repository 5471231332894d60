"""Fine colour: fine detail of the bands that PAN does not explain, what D_rho [scarpa2022] counts as an error."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from panflow.arrays import as_float, namespace
from panflow.indices._case import Case, evaluate
from panflow.indices._details import clear, gaussian, octaves_of, share, visible
from panflow.indices._stats import Sums
from panflow.ops.resample import lowpass
from panflow.types import Array

WINDOW = 5.0  # standard deviation of the local regression's window, PAN pixels


@dataclass(frozen=True)
class Index:
    """Mean over the visible bands of sum (d - g p)^2 / sum d^2, g = sum(d p) / sum(p p) in a Gaussian window.

    d: a fused band's fine detail, p: PAN's (`_details`). Bands of unknown wavelength count; where none is visible, all
    do. In images taken at full resolution it is 0.03 to 0.12 in the visible bands (NAIP, PAN the mean of the bands),
    more in the near infrared: less is colour borrowed from PAN, more is speckle and fringes.
    """

    title: ClassVar[str] = "fine colour"
    unit: ClassVar[str] = ""
    better: ClassVar[str] = "nearest"
    ideal: ClassVar[float] = 0.06
    needs: ClassVar[str] = "pair"
    summary: ClassVar[str] = "share of fine detail that PAN does not explain locally; 0.03 to 0.12 is natural"
    citation: ClassVar[str] = "scarpa2022"

    def __call__(self, case: Case) -> Array:
        return evaluate(self, case)

    def parts(self, case: Case) -> tuple[Sums, ...]:
        """Of what is left and of the details, band by band."""
        left, details = self._squares(case)
        counted = clear(case)
        weight = None if counted is None else case.cropped(counted)
        return tuple(case.sums(case.cropped(image), None if weight is None else weight) for image in (left, details))

    def value(self, means: Sequence[Array], case: Case) -> Array:
        xp = namespace(means[0])
        shares = share(means[0], means[1])
        return xp.mean(xp.stack([shares[:, k] for k in visible(case)], axis=1), axis=1)

    def map(self, case: Case) -> Array:
        """The same in a Gaussian window around every pixel, mean over all bands."""
        xp = namespace(case.fused)
        left, details = (lowpass(image, gaussian(WINDOW)) for image in self._squares(case))
        local = xp.mean(share(left, details), axis=1)
        counted = clear(case)
        return local if counted is None else xp.where(counted[:, 0], local, xp.full_like(local, float("nan")))

    def _squares(self, case: Case) -> tuple[Array, Array]:
        """(d - g p)^2 and d^2, [B, C, H, W]."""
        _, fine, _ = case.once("octaves", lambda: octaves_of(case))
        details, pan = fine[:, :-1], fine[:, -1:]
        window = gaussian(WINDOW)
        xp, power = namespace(fine), lowpass(pan * pan, window)
        gain = lowpass(details * pan, window) / xp.where(power > 0, power, xp.ones_like(power))
        return (as_float(details, double=True) - gain * pan) ** 2, details**2
