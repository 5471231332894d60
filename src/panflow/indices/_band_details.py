"""Fine detail of each band against what PAN's detail should be in it, since one band may carry PAN's detail for all.

d: a fused band's fine detail, p: PAN's (`_details`). How strongly a band follows PAN is read off the pair where the MS
sensor resolves it. With m the band and q PAN through the band's MTF, sampled likewise, of both what lies between sigma
1 and 3 MS pixels, their local regression gives what context-based injection [aiazzi2002] expects of the band,

    e = g p,   g = sum(m q) / sum(q q) in a Gaussian window of sigma 4 MS pixels, interpolated.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from panflow.arrays import as_float, namespace
from panflow.indices._case import Case, evaluate
from panflow.indices._details import clear, gaussian, octaves_of, visible
from panflow.indices._stats import Sums, ratio
from panflow.ops.resample import lowpass, sense, upsampled
from panflow.types import Array

OCTAVES = 1, 3  # MS pixels
WINDOW = 4  # MS pixels


@dataclass(frozen=True)
class BandDetails:
    """The least over the visible bands of what the mean products of d and e say of a band."""

    title: ClassVar[str]
    summary: ClassVar[str]
    unit: ClassVar[str] = ""
    better: ClassVar[str]
    ideal: ClassVar[float] = 1.0
    needs: ClassVar[str] = "pair"
    citation: ClassVar[str] = "aiazzi2002"

    def __call__(self, case: Case) -> Array:
        return evaluate(self, case)

    def parts(self, case: Case) -> tuple[Sums, ...]:
        """Of d d, d e and e e, band by band."""
        return case.once("band details", lambda: _sums(case))

    def value(self, means: Sequence[Array], case: Case) -> Array:
        values = self.measure(*means)
        xp = namespace(values)
        return xp.min(xp.stack([values[:, k] for k in visible(case)], axis=1), axis=1)

    def measure(self, fused: Array, both: Array, expected: Array) -> Array:
        """Of every band [B, C], of the mean products of d with itself, of d with e, and of e with itself."""
        raise NotImplementedError


def _sums(case: Case) -> tuple[Sums, ...]:
    _, fine, _ = case.once("octaves", lambda: octaves_of(case))
    xp, details, pan = namespace(fine), fine[:, :-1], fine[:, -1:]
    expected = upsampled(_slopes(case), case.pair) * pan
    counted = clear(case, OCTAVES[1] * sum(case.pair.ratio) / 2)
    weight = None if counted is None else case.cropped(xp.astype(counted, fine.dtype))
    return tuple(
        case.sums(case.cropped(x), weight) for x in (details * details, details * expected, expected * expected)
    )


def _slopes(case: Case) -> Array:
    """g [B, C, h, w], of every band where it lies."""
    pair = case.pair
    both = [as_float(image, double=True) for image in (pair.ms, sense(pair.pan, pair))]
    band, pan = (lowpass(image, gaussian(OCTAVES[0])) - lowpass(image, gaussian(OCTAVES[1])) for image in both)
    if case.valid is not None:
        share = lowpass(sense(as_float(case.valid, double=True), pair), gaussian(OCTAVES[1]))
        pan = namespace(pan).where(share > 0.99, pan, namespace(pan).zeros_like(pan))
    along, power = (lowpass(image, gaussian(WINDOW)) for image in (band * pan, pan * pan))
    return ratio(along, power, 0.0)
