"""FE-HPM: high-pass modulation with a low-pass filter that is estimated from the pair [vivone2015]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import ceil
from typing import ClassVar, Self

import numpy as np

from panflow.arrays import like, namespace, to_numpy
from panflow.methods._injection import UNFITTED, guarded, interpolation_halo, modulation, per_band
from panflow.ops import kernels
from panflow.ops.kernels import Separable, separate
from panflow.ops.moments import bounding, each, pan_core
from panflow.ops.resample import lowpass, ms_up
from panflow.types import YX, Array, Pair, Sharpener

REACH = 3  # MS pixels that the filter has on either side
FARTHEST = 15  # PAN pixels that it has at most
SMOOTH = 0.1  # weight of the squared differences of neighbouring taps, of PAN's variance
SMALL = 0.01  # weight of the squared taps, of PAN's variance
ROUNDS = 5  # of mix and filter, each with the other held


def reach(ratio: YX) -> int:
    """PAN pixels of the filter on either side."""
    return min(FARTHEST, ceil(REACH * max(ratio)))


@dataclass(frozen=True)
class Method(Sharpener):
    """fused_b = E_b P'_b / P'_L,b, P_L = h * P, P'_b and P'_L,b: PAN and P_L with the mean of E_b and their contrast
    scaled by std(E_b) / std(P_L).

    The filter h minimises |sum_k a_k E_k - h * P|^2 + s |Dh|^2 + t |h|^2, D the differences of neighbouring taps, and
    the mix a explains h * P by the bands; they are found in turn, from the filter of the sensor's mean MTF on. h is
    brought to sum 1, and is one for all bands. Shapes [B, C, H, W], in counts. `guard` as in mtf_glp_hpm. The sums of
    products that it takes are of PAN pixels with the whole filter around them; without any, h is the sensor's.
    """

    family: ClassVar[str] = "multiresolution analysis"
    summary: ClassVar[str] = "scales each band by PAN over its low-pass, by a filter estimated from the pair"
    citation: ClassVar[str] = "vivone2015"
    uses_mtf = True

    guard: bool | None = None
    filters: tuple[Separable, ...] = ()  # one an image of the batch
    mean: Array = UNFITTED  # [B, C], of E
    gain: Array = UNFITTED  # [B, C], std(E) / std(P_L)
    pan_mean: Array = UNFITTED  # [B, 1]

    def halo(self, ratio: YX) -> int:
        return max(2 * reach(ratio), interpolation_halo(ratio))

    def fit(self, scene: Iterable[Pair]) -> Self:
        total: _Products | None = None
        for part in each(scene, _products):
            total = part if total is None else total + part
        if total is None:
            raise ValueError("a scene has at least one pair")
        solved = [_Solution(total, k) for k in range(len(total.count))]
        reference = total.reference
        return replace(
            self,
            filters=tuple(one.filter for one in solved),
            mean=like(np.stack([one.mean for one in solved]), reference),
            gain=like(np.stack([one.gain for one in solved]), reference),
            pan_mean=like(np.stack([one.pan_mean for one in solved]), reference),
        )

    def __call__(self, pair: Pair) -> Array:
        def affine(image: Array) -> Array:
            return per_band(self.gain, image) * (image - per_band(self.pan_mean, image)) + per_band(self.mean, image)

        low = [lowpass(pair.pan[k : k + 1], one) for k, one in enumerate(self.filters)]
        low = namespace(pair.pan).concat(low, axis=0)
        ratio = modulation(affine(pair.pan), affine(low), self.mean, guarded(self.guard, pair))
        return ms_up(pair) * ratio


@dataclass(frozen=True)
class _Products:
    """Sums over PAN pixels x whose surroundings are there, n of them, [B, ...], in float64.

    pan [2 r + 1, 2 r + 1], r twice the filter's reach: P(x) P(x + d); pan_sum: P(x + d); cross [C, ...]: E(x) P(x + d)
    out to the reach; bands [C + 1, C + 1]: of E and 1 with themselves; gain: the sensor's mean; reference: any array
    of the scene's kind.
    """

    count: np.ndarray
    pan: np.ndarray
    pan_sum: np.ndarray
    cross: np.ndarray
    bands: np.ndarray
    gain: float
    ratio: YX
    reference: Array

    def __add__(self, other: "_Products") -> "_Products":
        return replace(
            self,
            count=self.count + other.count,
            pan=self.pan + other.pan,
            pan_sum=self.pan_sum + other.pan_sum,
            cross=self.cross + other.cross,
            bands=self.bands + other.bands,
        )


def _products(pair: Pair) -> _Products:
    r, (height, width) = reach(pair.ratio), pair.size
    far = 2 * r
    weight = np.zeros((pair.ms.shape[0], 1, height, width))
    rows, columns = (slice(*s.indices(n)[:2]) for s, n in zip(pan_core(pair), pair.size))
    top, bottom = max(rows.start, far), min(rows.stop, height - far)
    left, right = max(columns.start, far), min(columns.stop, width - far)
    if top < bottom and left < right:
        weight[..., top:bottom, left:right] = 1
    if pair.pan_valid is not None:
        weight = weight * to_numpy(pair.pan_valid)
    pan, bands = (to_numpy(image).astype(np.float64) for image in (pair.pan, ms_up(pair)))
    planes = np.concatenate([weight * bands, weight], axis=1)
    spectrum = np.fft.rfft2(pan)

    def against(images: np.ndarray, around: int) -> np.ndarray:
        """Sums of images(x) P(x + d), [B, K, 2 around + 1, 2 around + 1]."""
        found = np.fft.irfft2(np.conj(np.fft.rfft2(images)) * spectrum, s=(height, width))
        d = np.arange(-around, around + 1)
        return found[..., d[:, None] % height, d[None, :] % width]

    flat = np.concatenate([bands, np.ones_like(weight)], axis=1).reshape(*planes.shape[:2], -1)
    return _Products(
        count=weight.sum(axis=(1, 2, 3)),
        pan=against(weight * pan, far)[:, 0],
        pan_sum=against(weight, far)[:, 0],
        cross=against(planes[:, :-1], r),
        bands=planes.reshape(flat.shape) @ flat.swapaxes(1, 2),
        gain=float(np.mean(pair.sensor.gains)),
        ratio=pair.ratio,
        reference=pair.pan,
    )


class _Solution:
    """Filter, and what matches PAN to the bands, of one image of a batch."""

    def __init__(self, sums: _Products, k: int):
        n, r = max(float(sums.count[k]), 1.0), reach(sums.ratio)
        size, far = 2 * r + 1, 2 * r
        means = sums.pan_sum[k] / n  # of PAN moved by every step
        centre = means[far, far]
        power = sums.pan[k] / n - centre * means
        power = (power + power[::-1, ::-1]) / 2  # of a stationary image
        self.mean, self.pan_mean = sums.bands[k, :-1, -1] / n, np.array([centre])
        covariance = sums.bands[k, :-1, :-1] / n - np.outer(self.mean, self.mean)
        near = means[far - r : far + r + 1, far - r : far + r + 1]
        cross = (sums.cross[k] / n - self.mean[:, None, None] * near).reshape(len(self.mean), -1)
        steps = np.arange(size)
        row, column = (x.reshape(-1) for x in np.meshgrid(steps, steps, indexing="ij"))
        matrix = power[row[:, None] - row + far, column[:, None] - column + far]
        h = _nominal(sums.gain, sums.ratio, r)
        if power[far, far] > 1e-12 * max(centre**2, 1e-300) and covariance.any():
            normal = matrix + power[far, far] * (SMOOTH * _differences(size) + SMALL * np.eye(size**2))
            for _ in range(ROUNDS):
                mix = _least_squares(covariance, cross @ h)
                found = np.linalg.solve(normal, mix @ cross)
                if found.sum() <= 0:
                    break
                h = found / found.sum()
        low = float(np.sqrt(bounding(h @ matrix @ h, power[far, far])))
        self.gain = np.sqrt(np.clip(np.diag(covariance), 0, None)) / (low if low > 0 else np.inf)
        self.filter = separate(h.reshape(size, size), 1e-3)


def _nominal(gain: float, ratio: YX, r: int) -> np.ndarray:
    """The taps of the sensor's filter out to r, of unit sum."""
    middle = kernels.TAPS // 2
    inside = slice(middle - r, middle + r + 1)
    taps = kernels.gaussian_window_design(gain, ratio)[inside, inside].reshape(-1)
    return taps / taps.sum()


def _differences(size: int) -> np.ndarray:
    """The matrix of sum of squared differences of neighbouring taps, which are zero beyond the filter."""
    line = 2 * np.eye(size) - np.eye(size, k=1) - np.eye(size, k=-1)
    return np.kron(line, np.eye(size)) + np.kron(np.eye(size), line)


def _least_squares(covariance: np.ndarray, right: np.ndarray) -> np.ndarray:
    scale = np.sqrt(np.clip(np.diag(covariance), 0, None))
    scale = np.where(scale > 0, scale, 1.0)
    return np.linalg.pinv(covariance / np.outer(scale, scale), rcond=1e-10) @ (right / scale) / scale
