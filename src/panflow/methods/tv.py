"""TV: variational fusion with a total-variation prior, solved by majorisation-minimisation [palsson2014]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil
from typing import ClassVar, Self

import numpy as np

from panflow.arrays import like, namespace
from panflow.methods._injection import UNFITTED, interpolation_halo, per_band, solve_nonnegative
from panflow.methods._lowpass import reduction_phase
from panflow.ops.banded import Banded, apply_terms
from panflow.ops.moments import at_ms, total
from panflow.ops.resample import interpolate, ms_aligned, ms_up
from panflow.types import YX, Array, Pair, Sensor, Sharpener


@dataclass(frozen=True)
class Parameters:
    """PAN as a sum of bands, step alpha, steps, and the prior's weight lambda, for data in the sensor's counts."""

    pan: dict[str, float] | None  # w by the band's name; None: by regression
    alpha: float
    steps: int
    prior: float


SENSORS = {  # the reference toolbox's choices
    "ikonos": Parameters({"blue": 0.1091, "green": 0.2127, "red": 0.2928, "nir": 0.3854}, 1.064, 10, 0.47106),
    "geoeye1": Parameters({"blue": 0.1552, "green": 0.3959, "red": 0.2902, "nir": 0.1587}, 0.75, 50, 157.8954),
}
OTHER = replace(SENSORS["ikonos"], pan=None)
C = 8.0  # above the largest eigenvalue of D D^T


@dataclass(frozen=True)
class Method(Sharpener):
    """fused = argmin over x of |MS - H x|^2 + |P - w_0 - sum w_b x_b|^2 + lambda TV(x).

    H: bilinear reduction, antialiased; its transpose is taken as bilinear interpolation. Every step: b = alpha x +
    H^T (MS - H x) + w (P - w_0 - w x); z = (D b + c z - D D^T z) / (2 alpha / lambda |D x| + c); x = (b - D^T z) /
    alpha; from x = E, z = 0. Toolbox pairs follow the toolbox, which starts from x = 0 and has D D^T z where the
    paper has c z - D D^T z. Parameters and w are the toolbox's for IKONOS and GeoEye-1, w_0 = 0; for others
    IKONOS', with w_0 and w >= 0 regressing PAN on MS at MS scale and alpha at least 1 + w w, so that it converges.
    Shapes [B, C, H, W], in counts.

    The mathematics is iterative: ten steps take some fifteen times Brovey's time, and the halo grows with the steps
    (`fit` settles their number; before it the halo is that of the most).
    """

    family: ClassVar[str] = "variational"
    summary: ClassVar[str] = "finds the smoothest image that explains both PAN and MS"
    citation: ClassVar[str] = "palsson2014"

    parameters: Parameters | None = None  # None: by sensor
    weights: Array = UNFITTED  # w [B, C]
    offset: Array = UNFITTED  # w_0 [B, 1]
    alpha: Array = UNFITTED  # [B, 1]

    def halo(self, ratio: YX) -> int:
        # a step looks as far as down and up go (one MS pixel each) and two differences
        steps = (self.parameters or max(SENSORS.values(), key=lambda p: p.steps)).steps
        return interpolation_halo(ratio) + steps * (2 * ceil(max(ratio)) + 2)

    def fit(self, scene: Iterable[Pair]) -> Self:
        sensors: list[Sensor] = []

        def planes(pair: Pair) -> Array:
            sensors.append(pair.sensor)
            low = _Reduction(pair).down(pair.pan)
            return namespace(low).concat([ms_aligned(pair), low], axis=1)

        m = total(scene, at_ms(planes))[0]
        chosen = self.parameters or SENSORS.get(sensors[0].name, OTHER)
        names = [band.name for band in sensors[0].bands]
        if chosen.pan is not None and sorted(names) == sorted(chosen.pan):
            weights = m.mean[:, :-1] * 0 + like(np.array([chosen.pan[name] for name in names]), m.mean)
            offset, alpha = m.mean[:, -1:] * 0, m.mean[:, -1:] * 0 + chosen.alpha
        else:
            weights = solve_nonnegative(m.cov[:, :-1, :-1], m.cov[:, :-1, -1])
            xp = namespace(weights)
            offset = m.mean[:, -1:] - xp.sum(weights * m.mean[:, :-1], axis=1, keepdims=True)
            alpha = xp.clip(1 + xp.sum(weights**2, axis=1, keepdims=True), chosen.alpha, None)
        return replace(self, parameters=chosen, weights=weights, offset=offset, alpha=alpha)

    def __call__(self, pair: Pair) -> Array:
        xp = namespace(pair.pan)
        p = self.parameters or OTHER
        grid = _Reduction(pair)
        w, alpha = per_band(self.weights, pair.pan), per_band(self.alpha, pair.pan)
        ms, pan = ms_aligned(pair), pair.pan - per_band(self.offset, pair.pan)
        x = ms_up(pair) * (0 if pair.toolbox else 1)
        z = (xp.zeros_like(x), xp.zeros_like(x))
        keep, turn = (0.0, 1.0) if pair.toolbox else (C, -1.0)
        for _ in range(p.steps):
            b = alpha * x + grid.up(ms - grid.down(x)) + w * (pan - xp.sum(w * x, axis=1, keepdims=True))
            dx, db, dz = _differences(x), _differences(b), _differences(_adjoint(z))
            weight = 2 * alpha / p.prior * xp.sqrt(dx[0] ** 2 + dx[1] ** 2) + C
            z = tuple((f + keep * g + turn * h) / weight for f, g, h in zip(db, z, dz))
            x = (b - _adjoint(z)) / alpha
        return x


class _Reduction:
    """Bilinear reduction to the MS grid and interpolation back."""

    def __init__(self, pair: Pair):
        self.ratio, self.size = pair.ratio, pair.size
        self.phase = reduction_phase(pair)
        (height, width), (h, w) = pair.size, pair.ms_size
        rows = _triangle(height, h, float(pair.ratio[0]), float(self.phase[0]))
        self.terms = [(rows, _triangle(width, w, float(pair.ratio[1]), float(self.phase[1])))]

    def down(self, image: Array) -> Array:
        return apply_terms(image, self.terms)

    def up(self, image: Array) -> Array:
        return interpolate(image, self.ratio, self.phase, self.size, kind="linear")


@lru_cache(maxsize=64)
def _triangle(size: int, outputs: int, step: float, phase: float) -> Banded:
    position = phase + np.arange(outputs) * step
    start = np.ceil(position - step).astype(int)
    offset = start[:, None] + np.arange(ceil(2 * step)) - position[:, None]
    weights = np.maximum(0.0, 1 - np.abs(offset) / step)
    return Banded(start, weights / weights.sum(axis=1, keepdims=True), size, "symmetric")


def _differences(x: Array) -> tuple[Array, Array]:
    """To the next pixel along columns and rows; 0 at the end."""
    xp = namespace(x)
    along = xp.concat([x[..., 1:] - x[..., :-1], xp.zeros_like(x[..., :1])], axis=-1)
    down = xp.concat([x[..., 1:, :] - x[..., :-1, :], xp.zeros_like(x[..., :1, :])], axis=-2)
    return along, down


def _adjoint(z: tuple[Array, Array]) -> Array:
    """The transpose of `_differences`."""
    xp = namespace(z[0])
    along, down = z[0][..., :-1], z[1][..., :-1, :]
    side, top = xp.zeros_like(z[0][..., :1]), xp.zeros_like(z[1][..., :1, :])
    columns = xp.concat([side, along], axis=-1) - xp.concat([along, side], axis=-1)
    return columns + xp.concat([top, down], axis=-2) - xp.concat([down, top], axis=-2)
