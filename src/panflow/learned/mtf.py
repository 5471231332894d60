"""Which optics a scene shows: the MTF gains that explain its sharpness where the sensor's nominal ones do not."""

import numpy as np

from panflow.arrays import to_numpy
from panflow.learned.statistics import Statistics
from panflow.types import Sensor

SHARPEST = 1.12  # sharpness of an MS that the sensor's nominal MTF explains, at most
SOFTER = 1.55  # exponent of sharpness in the MTF gain of an MS that is softer than that
SHARPER = 0.7  # MTF gain per unit of sharpness of one that is sharper
LOWEST = 0.5  # sharpness below which the gain falls no further
HIGHEST = 0.9  # MTF gain that is taken for possible


def softest(gain: float) -> float:
    """Sharpness of an MS that an MTF of this gain explains, at least: what PAN shows whose truth is blurred by a
    Gaussian of 1.1 PAN pixels, at a ratio of 4 (measured on PAN of WorldView-2, IKONOS, SPOT-6 and GaoFen-2)."""
    return 0.88 - 0.27 * gain**2


def observed(sensor: Sensor, statistics: Statistics) -> Sensor | None:
    """The sensor with the MTF gains that the scene shows; None where the nominal ones explain the scene's sharpness.

    An MS that is sharper than it should be gets the gain at which PAN would look as sharp (a line through scenes of
    WorldView-2, IKONOS and Landsat 8; on drawn scenes it stops short). One that is softer gets half of that, in
    logarithms, and stays soft for the network: the whole would take an MS that somebody has resampled softly for one
    that needs more detail.
    """
    sharpness = float(np.median(to_numpy(statistics.sharpness)))
    least = softest(min(sensor.gains))
    if least <= sharpness <= SHARPEST:
        return None

    def gain(nominal: float) -> float:
        if sharpness < least:
            return round(nominal * max(sharpness, LOWEST) ** SOFTER, 2)
        return round(min(nominal + SHARPER * (sharpness - 1), HIGHEST), 2)

    return sensor.with_gains(map(gain, sensor.gains))
