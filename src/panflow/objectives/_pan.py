"""The two terms that ask a fused image to agree with its MS and PAN; neither needs a reference.

Counts are divided by the unit of the network's answer and errors are means over pixels and bands, one a member.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from panflow.errors import InputError
from panflow.objectives._common import sample_means
from panflow.ops import kernels
from panflow.ops.resample import by_band, lowpass, precision, sense
from panflow.types import Pair

MS_RIM, PAN_RIM = 2, 8  # pixels at the border of a patch that filters saw too little around
TIED = 0.7  # below this correlation with PAN a band is not asked to follow it
RATIO = (0.3, 3.0)  # of PAN to its low-pass


def _inner(image: Tensor, rim: int) -> Tensor:
    if min(image.shape[-2:]) <= 2 * rim:
        raise InputError(f"a patch of {tuple(image.shape[-2:])} pixels is all border: expected more than {2 * rim}")
    return image[..., rim:-rim, rim:-rim]


def _means(error: Tensor, valid: Tensor | None, rim: int) -> Tensor:
    return sample_means(_inner(error, rim) ** 2, None if valid is None else _inner(valid, rim))


def spectral(fused: Tensor, pair: Pair, unit: Tensor) -> Tensor:
    """What the sensor would see of the fused image against the MS it delivered, |D y - ms|^2, [B].

    Zero at the truth of a pair reduced by Wald's protocol with the sensor's MTF and phase. Eq. 13 of [otfm], whose
    two labels are swapped.
    """
    return _means((sense(fused, pair) - pair.ms) / unit, pair.ms_valid, MS_RIM)


@dataclass(frozen=True)
class Modulation:
    """Detail in proportion: y - haze should be (B y - haze) * ratio, the ratio that PAN has to its low-pass.

    PAN is brought to each band's mean and standard deviation (by that of its low-pass B P); haze [B, C, 1, 1] is the
    band's 0.5 % quantile; bands that do not follow PAN have weight 0. Nothing here carries a gradient.
    """

    pair: Pair
    unit: Tensor
    haze: Tensor
    ratio: Tensor
    weight: Tensor

    @classmethod
    @torch.no_grad()
    def of(cls, pair: Pair, ms_up: Tensor, unit: Tensor) -> Modulation:
        pan, low = pair.pan, _blurred(pair.pan, pair)
        mean, std = _moments(ms_up)
        low_mean, low_std = _moments(low)
        gain = std / low_std.clamp_min(1e-6)
        haze = torch.quantile(ms_up.flatten(2), 0.005, dim=-1)[..., None, None]
        bright = mean - haze
        above, below = (gain * (image - low_mean) + bright for image in (pan, low))
        dark = below <= 0.1 * std
        ratio = (above / below.masked_fill(dark, 1.0)).clamp(*RATIO).masked_fill(dark, 1.0)
        covariance = ((ms_up - mean) * (low - low_mean)).mean((2, 3), keepdim=True)
        tied = covariance > TIED * std * low_std
        return cls(pair, unit, haze, ratio, tied.to(ms_up.dtype))

    def __call__(self, fused: Tensor) -> Tensor:
        """|y - haze - (B y - haze) * ratio|^2, [B]. Eq. 13 and 14 of [otfm], with the residual against zero.

        Not small at the truth (a third of the residual's energy), and zero for y = haze: it goes with `spectral`.
        """
        error = fused - self.haze - (_blurred(fused, self.pair) - self.haze) * self.ratio
        return _means(error * self.weight / self.unit, self.pair.pan_valid, PAN_RIM)


def _moments(image: Tensor) -> tuple[Tensor, Tensor]:
    return image.mean((2, 3), keepdim=True), image.std((2, 3), keepdim=True)


def _blurred(image: Tensor, pair: Pair) -> Tensor:
    """Every band (or PAN for every band) through its MTF, on the PAN grid."""

    filters = [kernels.mtf(gain, pair.ratio, precision(image)) for gain in pair.sensor.gains]
    return by_band(image, filters, lowpass)
