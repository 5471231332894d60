"""What PAN sees of the bands' wavelengths."""

from functools import lru_cache

import numpy as np

from panflow.types import Band, Sensor


def reaches(pan: Band, band: Band) -> bool:
    """Whether a band's range of wavelengths overlaps PAN's; True where one is unknown."""
    apart = abs(band.wavelength - pan.wavelength)
    return not apart >= (band.width + pan.width) / 2  # nan compares as False


@lru_cache(maxsize=64)
def pan_weights(sensor: Sensor) -> tuple[float, ...] | None:
    """Weights of the bands, of sum 1, that make PAN of them, by its spectral response r; None where that is unknown.

    w_b = integral of r h_b / integral of r, h_b being the hat function of band b: the spectrum is taken to be linear
    between the centres of neighbouring bands, and constant beyond the outermost. Bands that PAN does not reach have 0.
    """
    seen = [k for k, band in enumerate(sensor.bands) if reaches(sensor.pan, band)]
    if not sensor.response or not seen:
        return None
    seen.sort(key=lambda k: sensor.bands[k].wavelength)
    nm, response = np.array(sensor.response).T
    at = np.arange(nm[0], nm[-1] + 1)
    response = np.interp(at, nm, response)
    centres = [sensor.bands[k].wavelength for k in seen]
    weights = np.zeros(len(sensor.bands))
    for k, hat in zip(seen, np.eye(len(seen))):
        weights[k] = response @ np.interp(at, centres, hat) / response.sum()
    return tuple(weights.tolist())
