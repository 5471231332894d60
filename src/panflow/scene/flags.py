"""What a pixel of a result must not be trusted for, as bits of a mask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from panflow.ops import consistency, movers
from panflow.ops.resample import interpolate
from panflow.scene.engine import Tile
from panflow.scene.opening import Opened
from panflow.types import YX, Pair

BITS: Mapping[str, str] = {  # from the lowest up
    "saturated": "PAN, or a band of the MS pixel here, is at the highest value that the sensor gives",
    "clipped": "a band of the result lies beyond its type and was cut",
    "filled": "PAN or MS has no data here or in an MS pixel beside, and was filled from the nearest that has",
    "moved": "PAN and MS show different things: something moved between the exposures, or changed",
    "low_injectability": "PAN explains less than a quarter of what the bands vary around here: detail is guessed",
}
LOCAL = 3  # MS pixels on every side, in which PAN and the bands are compared
EXPLAINED = 0.25  # share of the bands' local variance
PILED, NEAR = 10, 0.01  # pixels at the highest value that make a limit of it, if more than within a hundredth below


def halo(ratio: YX) -> int:
    """PAN pixels on every side that flags depend on."""
    return max(movers.halo(ratio), consistency.MARGIN + round((2 * LOCAL + 2) * max(ratio)))


@dataclass(frozen=True)
class Flagging:
    """Of a scene. pan_limit, ms_limits: values of saturation, by band; weights: of the bands in the mix that stands for
    PAN, none where there is too little to be seen; kind: type of the result."""

    pan_limit: float
    ms_limits: tuple[float, ...]
    weights: tuple[float, ...]
    kind: str

    @classmethod
    def of(cls, ready: Opened, kind: str) -> Flagging:
        pairs, source = ready.sample.pairs, ready.source
        bands = range(source.bands)
        limits = (_limit([pair.ms[0, b][_valid(pair.ms_valid)] for pair in pairs]) for b in bands)
        pan = _limit([pair.pan[0, 0][_valid(pair.pan_valid)] for pair in pairs])
        return cls(pan, tuple(limits), tuple(ready.agreement.weights), kind)

    def __call__(self, tile: Tile, image: np.ndarray, valid: np.ndarray | None) -> np.ndarray:
        """The mask [1, H, W] of a tile's pixels, uint8; image [C, H, W]: the result's, in counts before it is
        rounded."""
        pair = tile.around(halo(tile.pair.ratio))
        planes = {
            "saturated": self._saturated(pair),
            "clipped": self._clipped(image),
            "filled": _filled(pair, valid),
            "moved": _fine(movers.moved(pair, self.weights), pair) if self.weights else False,
            "low_injectability": _fine(_unexplained(pair), pair),
        }
        mask = np.zeros(image.shape[-2:], np.uint8)
        for bit, name in enumerate(BITS):
            mask |= np.left_shift(np.asarray(planes[name], np.uint8), bit)
        return mask[None]

    def _saturated(self, pair: Pair) -> np.ndarray:
        limits = np.array(self.ms_limits)[:, None, None]
        return (_core(pair.pan[0, 0], pair) >= self.pan_limit) | _fine((pair.ms[0] >= limits).any(axis=0), pair)

    def _clipped(self, image: np.ndarray) -> np.ndarray:
        kind = np.dtype(self.kind)
        if kind.kind == "f":
            return np.zeros(image.shape[-2:], bool)
        rounded, info = np.rint(image), np.iinfo(kind)
        return ~((rounded >= info.min) & (rounded <= info.max)).all(axis=0)


def _valid(mask: np.ndarray | None) -> Any:
    return np.s_[:, :] if mask is None else mask[0, 0]


def _limit(planes: list[np.ndarray]) -> float:
    """The highest of all values, where it is a limit at which they pile up; else infinity."""
    top = max((float(plane.max()) for plane in planes if plane.size), default=inf)
    below = top - NEAR * abs(top)
    at = sum(int((plane == top).sum()) for plane in planes)
    near = sum(int(((plane >= below) & (plane < top)).sum()) for plane in planes)
    return top if at >= PILED and at > near else inf


def _filled(pair: Pair, valid: np.ndarray | None) -> np.ndarray:
    """Where the result is not valid, lies beyond MS, or between MS pixels that are not all valid."""
    there = np.ones(pair.ms_size) if pair.ms_valid is None else pair.ms_valid[0, 0].astype(float)
    whole = interpolate(there[None, None], pair.ratio, pair.common_phase, pair.size, "edge", "linear")[0, 0] > 1 - 1e-6
    for axis in (0, 1):
        place = (np.arange(pair.size[axis]) - pair.common_phase[axis]) / pair.ratio[axis]
        inside = (place >= -0.5) & (place <= pair.ms_size[axis] - 0.5)
        whole &= inside[:, None] if axis == 0 else inside
    filled = ~_core(whole, pair)
    return filled if valid is None else filled | ~valid


def _unexplained(pair: Pair) -> np.ndarray:
    """The MS pixels around which PAN explains too little of the bands, on average."""
    from scipy.ndimage import uniform_filter

    def local(image: np.ndarray) -> np.ndarray:
        return uniform_filter(image, (0, 2 * LOCAL + 1, 2 * LOCAL + 1), mode="nearest")

    pan = consistency.seen(np.broadcast_to(pair.pan, (1, pair.bands, *pair.size)), pair)[0].astype(np.float64)
    ms = pair.ms[0].astype(np.float64)
    means = local(pan), local(ms)
    both = local(pan * ms) - means[0] * means[1]
    spread = (local(pan**2) - means[0] ** 2) * (local(ms**2) - means[1] ** 2)
    share = np.where(spread > 0, both**2 / np.where(spread > 0, spread, 1), 0)
    return share.mean(axis=0) < EXPLAINED


def _fine(coarse: np.ndarray, pair: Pair) -> np.ndarray:
    """Of MS pixels [h, w], on the core of the PAN grid: each PAN pixel as the MS pixel that it lies in."""
    share = coarse[None, None].astype(float)
    return _core(interpolate(share, pair.ratio, pair.common_phase, pair.size, "edge", "nearest")[0, 0] > 0.5, pair)


def _core(image: np.ndarray, pair: Pair) -> np.ndarray:
    assert pair.core is not None, "tiles have cores"
    top, bottom, left, right = pair.core
    return image[top:bottom, left:right]
