"""Wald's protocol: a pair reduced by its ratio, whose truth is the original MS [wald1997]."""

from dataclasses import replace
from math import ceil, floor

from panflow.arrays import as_float, is_double, namespace
from panflow.errors import InputError
from panflow.ops import kernels
from panflow.ops.resample import by_band, decimate, ms_aligned, precision, shrink
from panflow.types import Array, Pair, yx


def wald(pair: Pair) -> Pair:
    """The reduced pair with `reference`.

    MS passes through the sensor's MTF and is sampled at the pair's phase (modulo the ratio); PAN is
    reduced by antialiased bicubic interpolation to where the MS pixels lie. `toolbox` pairs follow the
    field's toolbox, which reduces PAN as if the grids shared corners. Sizes are cut to multiples of the ratio.
    """
    ratio = pair.ratio
    size = yx(floor(n / r + 1e-6) for n, r in zip(pair.ms_size, ratio))
    if min(size) < 1:
        (rows, columns), (down, across) = pair.ms_size, ratio
        least = f"{ceil(down)} x {ceil(across)}"
        raise InputError(f"MS has {rows} x {columns} pixels: expected at least {least}, the ratio, to be reduced")
    fine = yx(min(n, round(k * r)) for n, k, r in zip(pair.ms_size, size, ratio))
    phase = yx(p % r for p, r in zip(pair.common_phase, ratio))
    reference = ms_aligned(pair)[..., : fine[0], : fine[1]]

    def see(bands: Array, gain: float) -> Array:
        return decimate(bands, kernels.mtf(gain, ratio, precision(bands)), ratio, phase, size)

    return replace(
        pair,
        ms=by_band(reference, pair.sensor.gains, see),
        pan=shrink(pair.pan, ratio, fine, None if pair.toolbox else pair.common_phase),
        phase=(phase,) * pair.bands,
        reference=reference,
        ms_valid=_clean(pair.ms_valid, fine, pair, phase, size),
        pan_valid=None if pair.ms_valid is None else pair.ms_valid[..., : fine[0], : fine[1]],
        core=None,
    )


def _clean(valid: Array | None, fine: tuple, pair: Pair, phase: tuple, size: tuple) -> Array | None:
    """Coarse pixels that only valid ones have entered with more than a thousandth."""
    if valid is None:
        return None
    xp = namespace(valid)
    share = as_float(xp.astype(valid, xp.float32)[..., : fine[0], : fine[1]], double=is_double(pair.ms))
    filter = kernels.mtf(min(pair.sensor.gains), pair.ratio, 1e-5)
    full = decimate(share * 0 + 1, filter, pair.ratio, phase, size)
    return decimate(share, filter, pair.ratio, phase, size) > 0.999 * full
