"""What D_lambda and D_s share: Q between all bands and PAN, on the fused side and on the MS side [alparone2008].

Planes are the bands and, last, PAN, so that one block's Q matrix serves both indices.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from panflow import registry
from panflow.arrays import namespace
from panflow.errors import InputError
from panflow.indices._aligned import shrink_aligned
from panflow.indices._blocks import masked, spread
from panflow.indices._case import Case, evaluate
from panflow.indices._reproject import coarse_case, coarse_valid
from panflow.indices._stats import Sums, mean, ratio
from panflow.indices._uqi import block_quality
from panflow.ops.kernels import TAPS, gaussian_window_design, separate
from panflow.ops.resample import interpolate, lowpass, ms_aligned, ms_up, precision, shrink
from panflow.types import Array, Pair

Sides = tuple[tuple[Array, Array | None], tuple[Array, Array | None]]


def sides(case: Case, variant: str, block: int) -> Sides:
    """(Q [B, n, m, K, K], weights) of the fused side and of the MS side, K = C + 1 planes.

    variant: "toolbox", "paper", "2015" (PAN's MTF) or "global" (one window, as UniPAN computes it).
    """
    if variant == "global":
        return case.once("global sides", lambda: _global_sides(case))
    fused = case.once(("fused side", block), lambda: _quality(case, case.fused, case.pair.pan, block))
    return fused, case.once(("ms side", variant, block), partial(_ms_side, case, variant, block))


@dataclass(frozen=True)
class Change:
    """How far fusion changes Q, averaged over blocks side by side: D_lambda and D_s, which measure it in `distance`.

    Every variant has an MS side (`sides`).
    """

    title: ClassVar[str]
    summary: ClassVar[str]
    unit: ClassVar[str] = ""
    better: ClassVar[str] = "lower"
    ideal: ClassVar[float] = 0.0
    needs: ClassVar[str] = "pair"
    citation: ClassVar[str] = "alparone2008"
    variants: ClassVar[tuple[str, ...]]

    variant: str = "toolbox"
    block: int = 32

    def __post_init__(self) -> None:
        registry.closest(f"variant of {self.title}", self.variant, self.variants)

    def __call__(self, case: Case) -> Array:
        if self.variant == "global":
            return self.value([q[:, 0, 0] for q, _ in sides(case, self.variant, self.block)], case)
        return evaluate(self, case)

    def parts(self, case: Case) -> tuple[Sums, ...] | None:
        """Sums of Q [B, K, K] over the blocks of the fused side and of the MS side; None of one window."""
        if self.variant == "global":
            return None
        return tuple(_sums(case, *side, self.block) for side in sides(case, self.variant, self.block))

    def value(self, means: Sequence[Array], case: Case) -> Array:
        fused, ms = means
        return self.distance(fused - ms)

    def map(self, case: Case) -> Array:
        """The same within every block."""
        if self.variant not in ("toolbox", "2015"):
            raise InputError(f"the variant {self.variant!r} has no map: its two sides have no blocks in common")
        (fused, _), (ms, _) = sides(case, self.variant, self.block)
        local = spread(self.distance(fused - ms), self.block, case.cropped(case.fused).shape[-2:])
        return masked(case.framed(local), case.valid)

    def distance(self, difference: Array) -> Array:
        """Differences of Q, [..., K, K], as one number, [...]."""
        raise NotImplementedError


def reduced_pan(pair: Pair) -> Array:
    """PAN reduced to the MS grid by antialiased bicubic interpolation.

    Like the toolbox's Wald protocol, a `toolbox` pair is reduced as if the grids shared corners.
    """
    return shrink(pair.pan, pair.ratio, pair.ms_size, None if pair.toolbox else pair.common_phase)


def _ms_side(case: Case, variant: str, block: int) -> tuple[Array, Array | None]:
    pair = case.pair
    if variant == "paper":
        coarse = max(2, round(block / (pair.ratio[0] * pair.ratio[1]) ** 0.5))
        return _quality(coarse_case(case), ms_aligned(pair), reduced_pan(pair), coarse)
    bands = case.once("ms_up", lambda: ms_up(pair))
    if variant == "2015":  # the toolbox of 2015 designs its filters with N, not N - 1, samples
        design = gaussian_window_design(pair.sensor.pan.mtf, pair.ratio, points=TAPS)
        pan = lowpass(pair.pan, separate(design, precision(pair.pan)))
    else:
        border = "wrap" if pair.toolbox else "symmetric"
        pan = interpolate(reduced_pan(pair), pair.ratio, pair.common_phase, pair.size, border)
    return _quality(case, bands, pan, block)


def _quality(case: Case, bands: Array, pan: Array, block: int) -> tuple[Array, Array | None]:
    planes = case.cropped(namespace(bands).concat([bands, pan], axis=1))
    return block_quality(planes, None if case.valid is None else case.cropped(case.valid), block)


def _sums(case: Case, q: Array, weight: Array | None, block: int) -> Sums:
    planes = namespace(q).permute_dims(q, (0, 3, 4, 1, 2))
    return case.sums(planes, None if weight is None else weight[:, None, None], block, block**2)


def _global_sides(case: Case) -> Sides:
    """UniPAN's Q: the whole image is one window, moments with n, and 1e-8 in the denominator (values of 0 to 1)."""
    pair = case.pair

    def whole(bands: Array, pan: Array, valid: Array | None) -> tuple[Array, None]:
        xp = namespace(bands)
        planes = xp.concat([bands, pan], axis=1)
        level = mean(planes, valid)
        deviation = xp.astype(planes, xp.float64) - level[:, :, None, None]
        if valid is not None:
            deviation = deviation * xp.astype(valid, xp.float64)
        flat = xp.reshape(deviation, (*deviation.shape[:2], -1))
        share = mean(xp.ones_like(planes[:, :1]) if valid is None else xp.astype(valid, planes.dtype))
        covariance = ratio(flat @ flat.mT, share[:, :, None] * flat.shape[-1], 0.0)
        variance = xp.linalg.diagonal(covariance)
        a, b = level[:, :, None], level[:, None, :]
        q = 4 * covariance * a * b / ((variance[:, :, None] + variance[:, None, :]) * (a * a + b * b) + 1e-8)
        return q[:, None, None], None

    coarse = whole(pair.ms, shrink_aligned(pair.pan, pair.ms_size), coarse_valid(case))
    return whole(case.fused, pair.pan, case.valid), coarse
