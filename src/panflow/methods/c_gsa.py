"""C-GSA: context-adaptive Gram-Schmidt, one gain a segment of similar spectra [restaino2017]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from panflow.arrays import like, namespace, to_numpy
from panflow.errors import InputError
from panflow.methods._clusters import Spectra, clusters
from panflow.methods._injection import (
    FILTER,
    UNFITTED,
    combine,
    intensity_moments,
    per_band,
    reread,
    safe,
    solve,
)
from panflow.ops.kernels import generic_lowpass
from panflow.ops.moments import Moments, at_ms, bounding, measure, pan_core, total
from panflow.ops.resample import decimate, ms_aligned, ms_up, precision
from panflow.types import YX, Array, Pair, Sharpener


@dataclass(frozen=True)
class Method(Sharpener):
    """fused_b = E_b + g_b,s (P - I), g_b,s = cov(I, E_b) / var(I) over the pixels of segment s, I = w_0 + sum w_b E_b.

    The weights regress the low-pass PAN, decimated, on MS with intercept. Segments: k-means of spectra divided by
    the bands' largest values, on a sample of distinct MS spectra drawn by a hash of their values, so that neither
    chance nor the cut into tiles has a say (the toolbox starts at random). Shapes [B, C, H, W], in counts.
    `labels` [B, 1, H, W] gives the segments (0, 1, ...) of a whole image instead; InputError where it has not PAN's
    shape.
    """

    family: ClassVar[str] = "component substitution"
    summary: ClassVar[str] = "as gsa, with gains for each segment of similar spectra"
    citation: ClassVar[str] = "restaino2017"

    segments: int = 5
    labels: Array | None = None
    weights: Array = UNFITTED  # [B, C]
    offset: Array = UNFITTED  # w_0 [B, 1]
    centres: Array = UNFITTED  # [B, S, C], divided by the largest
    largest: Array = UNFITTED  # [B, C]
    gains: Array = UNFITTED  # [B, S, C]

    def halo(self, ratio: YX) -> int:
        return FILTER + 2

    def fit(self, scene: Iterable[Pair]) -> Self:
        scene = reread(scene)
        spectra = Spectra()

        def coarse(pair: Pair) -> Array:
            filter = generic_lowpass(pair.ratio, precision(pair.pan))
            low = decimate(pair.pan, filter, pair.ratio, pair.common_phase, pair.ms_size)
            if not pair.toolbox:  # which leaves the sum at 0.99x, so that P - I has a mean
                low = low / float(filter.full().sum())
            spectra.add(pair)
            return namespace(low).concat([ms_aligned(pair), low], axis=1)

        m = total(scene, at_ms(coarse))[0]
        weights = solve(m.cov[:, :-1, :-1], m.cov[:, :-1, -1])
        offset = m.mean[:, -1:] - namespace(weights).sum(weights * m.mean[:, :-1], axis=1, keepdims=True)
        fitted = replace(self, weights=weights, offset=offset)
        if self.labels is None:
            centres, largest = zip(*(clusters(sample, self.segments) for _, sample in spectra.samples))
            fitted = replace(fitted, centres=like(np.stack(centres), weights), largest=like(np.stack(largest), weights))
        gains = [_gain(part, weights) for part in fitted._moments(scene)]
        return replace(fitted, gains=namespace(weights).stack(gains, axis=1))

    def __call__(self, pair: Pair) -> Array:
        bands = ms_up(pair)
        xp = namespace(bands)
        detail = pair.pan - combine(self.weights, bands) - per_band(self.offset, bands)
        segments = self._segments(pair, bands)
        gain = xp.zeros_like(bands)
        for s in range(self.segments):
            gain = xp.where(segments == s, per_band(self.gains[:, s], bands), gain)
        return bands + gain * detail

    def _segments(self, pair: Pair, bands: Array) -> Array:
        """The number of each pixel's segment, [B, 1, H, W]."""
        xp = namespace(bands)
        if self.labels is not None:
            if tuple(self.labels.shape) != tuple(pair.pan.shape):
                raise InputError(
                    f"labels have shape {tuple(self.labels.shape)}: expected PAN's, {tuple(pair.pan.shape)}"
                )
            return like(to_numpy(self.labels), bands, xp.int64)
        scaled = bands / per_band(self.largest, bands)
        centres = xp.astype(self.centres, bands.dtype)
        length = xp.sum(centres**2, axis=2)
        least = segment = None
        for s in range(self.segments):
            distance = length[:, s, None, None, None] - 2 * combine(centres[:, s], scaled)
            if least is None:
                least, segment = distance, xp.zeros_like(distance, dtype=xp.int8)
            else:
                segment = xp.where(distance < least, like(s, segment), segment)
                least = xp.minimum(distance, least)
        return segment

    def _moments(self, scene: Iterable[Pair]) -> list[Moments]:
        """Of E and P, segment by segment."""
        merged: list[Moments] = []
        for pair in scene:
            core = (..., *pan_core(pair))
            bands = ms_up(pair)
            segments = self._segments(pair, bands)[core]
            valid = None if pair.pan_valid is None else pair.pan_valid[core]
            planes = namespace(bands).concat([bands, pair.pan], axis=1)[core]
            parts = _by_segment(planes, segments, valid, self.segments)
            merged = [a.merge(b) for a, b in zip(merged, parts)] if merged else parts
        return merged


def _by_segment(bands: Array, segments: Array, valid: Array | None, count: int) -> list[Moments]:
    """`measure` of each segment's pixels, cheaper than one by one: deviations are taken from the common mean once."""
    xp = namespace(bands)
    whole = measure(bands, valid)
    x = xp.reshape(xp.astype(bands, xp.float64), (*bands.shape[:2], -1)) - whole.mean[:, :, None]
    parts = []
    for s in range(count):
        inside = segments == s if valid is None else (segments == s) & valid
        weight = xp.astype(xp.reshape(inside, (bands.shape[0], 1, -1)), xp.float64)
        n = xp.sum(weight, axis=(1, 2))
        chosen = x * weight
        mean = xp.sum(chosen, axis=2) / xp.clip(n, 1, None)[:, None]
        comoment = chosen @ x.mT - n[:, None, None] * mean[:, :, None] * mean[:, None, :]
        parts.append(Moments(n, mean + whole.mean, comoment))
    return parts


def _gain(moments: Moments, weights: Array) -> Array:
    _, std, covariance = intensity_moments(moments, weights)
    return covariance / safe(bounding(std**2, moments.cov[:, -1:, -1]))
