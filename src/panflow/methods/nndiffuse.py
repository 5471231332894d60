"""NNDiffuse: each PAN pixel mixes the spectra of its nine nearest MS pixels, as ENVI does [sun2014]."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from panflow.arrays import like, namespace
from panflow.methods._cells import Cells
from panflow.methods._injection import UNFITTED, combine, guarded, interpolation_halo, modulation, solve
from panflow.ops.moments import at_ms, total
from panflow.ops.resample import ms_aligned
from panflow.types import YX, Array, Pair, Sharpener

NEIGHBOURS = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]  # down and across
FLOOR = 1e-6  # of N, counts: where PAN is flat N is 0


@dataclass(frozen=True)
class Method(Sharpener):
    """fused = P sum c_j M_j / sum c_j T M_j, c_j = exp(-N_j / sigma^2) exp(-d_j^2 / sigma_s^2), j = 1 to 9.

    M_j: spectra of the MS pixel under the PAN pixel and of the eight around it; N_j: sum of |P - P(q)| over the PAN
    pixels q of MS pixel j and of those on the way to it in the pixel's MS pixel; sigma^2 = the smallest N_j; d_j:
    distance to the centre of MS pixel j, sigma_s = 0.62 ratio, in PAN pixels; T regresses the mean of PAN over an MS
    pixel on its spectrum, no intercept. A PAN pixel belongs to the MS pixel whose centre is nearest, so that any
    ratio and phase will do. Shapes [B, C, H, W], in counts. `guard` leaves the mixed spectrum unscaled where T M is
    near zero and limits the scale to 10; None: on, except for toolbox pairs.

    The mathematics compares each PAN pixel with all those of nine MS pixels, 9 ratio^2 differences a pixel: about
    twenty times Brovey's time at a ratio of 4.
    """

    family: ClassVar[str] = "diffusion"
    summary: ClassVar[str] = "mixes the spectra of neighbouring MS pixels, guided by PAN (ENVI)"
    citation: ClassVar[str] = "sun2014"

    guard: bool | None = None
    spatial: float = 0.62  # sigma_s / ratio
    weights: Array = UNFITTED  # T [B, C]
    pan_mean: Array = UNFITTED  # [B, 1]

    def halo(self, ratio: YX) -> int:
        return interpolation_halo(ratio) + 2 * round(max(ratio) + 0.5)

    def fit(self, scene: Iterable[Pair]) -> Self:
        def planes(pair: Pair) -> Array:
            return namespace(pair.pan).concat([ms_aligned(pair), Cells(pair).mean()], axis=1)

        m = total(scene, at_ms(planes))[0]
        return replace(self, weights=solve(m.second[:, :-1, :-1], m.second[:, :-1, -1]), pan_mean=m.mean[:, -1:])

    def __call__(self, pair: Pair) -> Array:
        cells = Cells(pair)
        pan = cells.pan()
        xp = namespace(pan)
        inside = cells.inside()
        around = _grown(pan)
        there = None if inside is None else _grown(inside)
        spectra = _grown(cells.spectra())
        near = self._nearness(cells, pan)
        guard = guarded(self.guard, pair)
        rows, columns = pan.shape[1:3]
        done = []
        for a in range(rows):
            line = []
            for b in range(columns):
                pixel = pan[:, a, b]
                n = _differences(around, there, pixel, a, b)
                least = xp.clip(xp.min(n, axis=0), FLOOR, None)
                weights = [xp.exp(-far / least) * close for far, close in zip(n, near[a][b])]
                mix = sum(w[:, None] * _moved(spectra, *to) for w, to in zip(weights, NEIGHBOURS))
                mix = mix / sum(weights)[:, None]
                line.append(mix * modulation(pixel[:, None], combine(self.weights, mix), self.pan_mean, guard))
            done.append(xp.stack(line, axis=2))
        return cells.join(xp.stack(done, axis=2))

    def _nearness(self, cells: Cells, pan: Array) -> list[list[list[Array]]]:
        """exp(-d_j^2 / sigma_s^2) of the pixels at (a, b) of their cells, [k, l] for every j, as lists [a][b][j]."""
        down, across = (
            [np.exp(-(((axis.distance - i * r) / (self.spatial * r)) ** 2)).T for i in (-1, 0, 1)]
            for axis, r in zip((cells.down, cells.across), cells.pair.ratio)
        )
        return [
            [
                [like(down[i + 1][a][:, None] * across[j + 1][b], pan) for i, j in NEIGHBOURS]
                for b in range(pan.shape[2])
            ]
            for a in range(pan.shape[1])
        ]


def _differences(around: Array, there: Array | None, pixel: Array, a: int, b: int) -> Array:
    """N_j [9, B, k, l] of the pixels [B, k, l] at (a, b) of their cells."""
    xp = namespace(around)

    def distance(i: int, j: int) -> Array:
        difference = xp.abs(_moved(around, i, j) - pixel[:, None, None])
        return difference if there is None else difference * _moved(there, i, j)

    inner = distance(0, 0)  # of the pixel's MS pixel
    way = {-1: lambda at: slice(at + 1), 0: lambda at: slice(None), 1: lambda at: slice(at, None)}
    between = [xp.sum(inner[:, way[i](a), way[j](b)], axis=(1, 2)) for i, j in NEIGHBOURS]
    beyond = [xp.sum(distance(i, j), axis=(1, 2)) if i or j else 0 for i, j in NEIGHBOURS]
    return xp.stack([near + far for near, far in zip(between, beyond)])


def _grown(image: Array) -> Array:
    """The image with its edge repeated once on every side of the last two axes."""
    xp = namespace(image)
    image = xp.concat([image[..., :1, :], image, image[..., -1:, :]], axis=-2)
    return xp.concat([image[..., :1], image, image[..., -1:]], axis=-1)


def _moved(grown: Array, i: int, j: int) -> Array:
    """What lies i down and j across, of a grown image."""
    height, width = grown.shape[-2:]
    return grown[..., 1 + i : height - 1 + i, 1 + j : width - 1 + j]
