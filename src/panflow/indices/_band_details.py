"""Fine detail of each band against what PAN's detail should be in it, since one band may carry PAN's detail for all.

d: a fused band's fine detail, p: PAN's (`_details`). How strongly a band follows PAN is read off the pair where the MS
sensor resolves it. With m the interpolated band and q PAN through the band's MTF, sampled and interpolated likewise, of
both what lies between sigma r and 3 r PAN pixels (r: the ratio), their local regression gives what context-based
injection [aiazzi2002] expects of the band,

    e = g p,   g = sum(m q) / sum(q q) in a Gaussian window of sigma 4 r.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from panflow.arrays import as_float, namespace
from panflow.indices._case import Case, evaluate
from panflow.indices._details import clear, gaussian, octaves_of, visible
from panflow.indices._stats import Sums, ratio
from panflow.ops.resample import lowpass, ms_up, pan_low
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
    scale = sum(case.pair.ratio) / 2
    expected = _slopes(case, scale) * pan
    counted = clear(case, OCTAVES[1] * scale)
    weight = None if counted is None else case.cropped(xp.astype(counted, fine.dtype))
    return tuple(
        case.sums(case.cropped(x), weight) for x in (details * details, details * expected, expected * expected)
    )


def _slopes(case: Case, scale: float) -> Array:
    """g [B, C, H, W]."""
    pair, xp = case.pair, namespace(case.fused)
    bands = case.once("ms_up", lambda: ms_up(pair))
    planes = xp.concat([as_float(image, double=True) for image in (bands, pan_low(pair))], axis=1)
    narrow, wide = (lowpass(planes, gaussian(octave * scale)) for octave in OCTAVES)
    middle, counted = narrow - wide, clear(case, OCTAVES[1] * scale)
    if counted is not None:
        middle = middle * xp.astype(counted, middle.dtype)
    band, pan = middle[:, : pair.bands], middle[:, pair.bands :]
    both, power = (lowpass(image, gaussian(WINDOW * scale)) for image in (band * pan, pan * pan))
    return ratio(both, power, 0.0)
