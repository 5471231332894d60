"""Materials of the synthetic scene: reflectance spectra, texture, and what a band makes of them.

The spectra are smooth drawings of ours of what such surfaces reflect (rising soils, the red edge of leaves,
water that is black in the infrared); they imitate no measured sample.
"""

from dataclasses import dataclass

import numpy as np

from panflow.errors import InputError
from panflow.types import Band

WAVELENGTHS = np.array([425, 480, 545, 605, 660, 725, 830, 950, 1600, 2200], dtype=float)  # nm
SUN = np.array([1.70, 2.03, 1.88, 1.74, 1.55, 1.36, 1.06, 0.82, 0.25, 0.08])  # above the air, W / (m2 nm)
SKY = np.array([0.34, 0.27, 0.20, 0.16, 0.13, 0.10, 0.075, 0.06, 0.02, 0.01])  # what reaches a shadow, of 1
AIR = np.array([0.105, 0.068, 0.042, 0.028, 0.020, 0.014, 0.009, 0.006, 0.001, 0.0])  # path reflectance
CLEAR = np.array([0.72, 0.79, 0.84, 0.87, 0.90, 0.92, 0.94, 0.93, 0.95, 0.94])  # transmission, down and up

# Where objects of one material differ most: the flank of iron oxides and the red edge. Four-band sensors leave
# both to PAN alone; without this PAN would be a mix of the bands to within a thousandth, which no real PAN is.
HUES = ((612.0, 18.0, 0.22), (722.0, 24.0, 0.22))  # centre and deviation in nm, relative strength


@dataclass(frozen=True)
class Material:
    """Reflectance at WAVELENGTHS; the material that it mixes with; contrast of its texture.

    grain, patch, stain: relative brightness (one deviation) at about 0.5 m, 3 m and 25 m; mottle, drift: share
    of the partner that comes in at 3 m and at 25 m.
    """

    reflectance: tuple[float, ...]
    partner: str
    grain: float = 0.04
    patch: float = 0.03
    stain: float = 0.03
    mottle: float = 0.0
    drift: float = 0.0


def _m(percent: str, partner: str, **texture: float) -> Material:
    return Material(tuple(float(v) / 100 for v in percent.split()), partner, **texture)


MATERIALS = {
    "grass": _m("2.6 3.2 8.8 5.8 4.0 21 42 45 26 13", "dry_grass", grain=0.06, mottle=0.10, drift=0.12),
    "dry_grass": _m("5.0 6.8 11 14.5 16.5 23 31 34 33 24", "soil", grain=0.06, mottle=0.10, drift=0.12),
    "crop": _m("2.5 3.2 9.6 6.0 3.9 26 49 52 25 11", "soil", grain=0.06, mottle=0.05, drift=0.09),
    "ripe": _m("6.5 9.5 16 21 24.5 30 37 40 37 27", "dry_grass", grain=0.05, mottle=0.08, drift=0.15),
    "soil": _m("8.0 10.2 13.8 17 19.5 22.5 27 31 38 35", "wet_soil", grain=0.06, patch=0.05, drift=0.25),
    "wet_soil": _m("4.0 5.2 7.6 10 12 14.5 18 21 22 18", "soil"),
    "sand": _m("17 22 29 34.5 38 41 45 47 51 47", "soil", mottle=0.12, drift=0.12),
    "leaves": _m("2.8 3.5 8.2 5.8 4.2 20 45 48 22 10", "dark_leaves", grain=0.10),
    "dark_leaves": _m("2.1 2.7 5.6 4.1 3.1 15 35 38 17 7", "leaves", grain=0.10),
    "conifer": _m("1.5 1.9 3.4 2.7 2.2 10 23 26 13 6", "dark_leaves", grain=0.10),
    "asphalt": _m("6.2 7.0 8.0 8.6 9.0 9.4 10.5 11.5 15 15", "old_asphalt", mottle=0.10, drift=0.25),
    "old_asphalt": _m("10 11.5 13.2 14.4 15.2 15.8 17 18 22 21", "asphalt", mottle=0.10, drift=0.2),
    "concrete": _m("17 20.5 24.5 27 28.5 29.5 31 32 36 34", "old_asphalt", mottle=0.08, drift=0.12),
    "paint": _m("42 48 51 52 53 53 53 53 48 42", "old_asphalt", mottle=0.15),
    "red_tile": _m("5.5 6.6 10 18.5 23.5 26 29 30 36 34", "slate", grain=0.07, patch=0.04, mottle=0.08),
    "brown_tile": _m("5.0 5.8 8.0 11.5 14 16 19 21 27 26", "slate", grain=0.07, patch=0.04, mottle=0.08),
    "slate": _m("6.5 7.2 8.0 8.4 8.8 9.2 10.5 11.5 15 15", "brown_tile", grain=0.06, mottle=0.08),
    "metal": _m("36 41 45 47 48 48.5 49 49 46 42", "gravel", grain=0.02, stain=0.05, mottle=0.05),
    "blue_metal": _m("18 25 21 15 13 13 22 27 30 26", "gravel", grain=0.02, stain=0.05, mottle=0.05),
    "gravel": _m("14 17 20.5 23 24.5 25.5 27 28 32 30", "slate", grain=0.05, mottle=0.10, drift=0.10),
    "water": _m("3.4 4.2 4.4 2.4 1.4 0.9 0.5 0.3 0.05 0.02", "murky", grain=0.05, mottle=0.03, drift=0.15),
    "murky": _m("5.0 7.5 10.5 9.0 6.8 4.0 1.6 0.8 0.1 0.05", "water"),
    "pool": _m("17 25 27 11 5 3 1.2 0.6 0.1 0.05", "water", grain=0.08),
    "white_car": _m("46 52 54 55 55 55 55 55 50 45", "glass", grain=0.0, patch=0.0),
    "grey_car": _m("16 18 19 20 20 20 21 21 20 18", "glass", grain=0.0, patch=0.0),
    "dark_car": _m("3.5 3.8 4.0 4.0 4.0 4.2 5 5.5 6 6", "glass", grain=0.0, patch=0.0),
    "red_car": _m("3.6 4 4.6 10 20 23 26 26 25 22", "glass", grain=0.0, patch=0.0),
    "blue_car": _m("10 12 7.5 5 4.5 5 12 17 20 16", "glass", grain=0.0, patch=0.0),
    "glass": _m("8.5 9 9 8.5 8 8 8.5 9 9 9", "dark_car", grain=0.0, patch=0.0),
}
LABELS = {name: label for label, name in enumerate(MATERIALS)}
TEXTURE = {  # every label's contrast, by kind
    kind: np.array([getattr(material, kind) for material in MATERIALS.values()], dtype=np.float32)
    for kind in ("grain", "patch", "stain", "mottle", "drift")
}


@dataclass(frozen=True)
class Response:
    """What one band measures: reflectance, its partner's and its change with hue by label; light in shadow, air."""

    plain: np.ndarray
    mixed: np.ndarray
    hued: np.ndarray
    sky: float
    clear: float
    air: float


def response(band: Band) -> Response:
    """The band's mean over its width, weighted by sunlight, with edges that fall off over a tenth of it.

    PAN's mean runs over wavelengths that lie between and beyond the MS bands, so that no mix of them is PAN.
    """
    if not (band.wavelength > 0 and band.width > 0):
        raise InputError(
            f"band {band.name!r} has no wavelength, which a synthetic scene needs: "
            "take a sensor with bands (`panflow names sensors`), or name the bands blue, green, red, nir"
        )
    nm = band.wavelength + band.width * np.linspace(-0.6, 0.6, 61)
    weight = np.interp(nm, WAVELENGTHS, SUN) / (1 + np.exp((np.abs(nm - band.wavelength) / band.width - 0.5) * 40))
    weight /= weight.sum()

    def mean(spectrum: object) -> float:
        return float(weight @ np.interp(nm, WAVELENGTHS, np.asarray(spectrum, dtype=float)))

    plain = np.array([mean(m.reflectance) for m in MATERIALS.values()], dtype=np.float32)
    mixed = plain[[LABELS[m.partner] for m in MATERIALS.values()]]
    bumps = sum(strength * np.exp(-0.5 * ((nm - centre) / width) ** 2) for centre, width, strength in HUES)
    spectra = [np.interp(nm, WAVELENGTHS, m.reflectance) for m in MATERIALS.values()]
    hued = np.array([weight @ (bumps * spectrum) for spectrum in spectra], dtype=np.float32)
    return Response(plain, mixed, hued, mean(SKY), mean(CLEAR), mean(AIR))
