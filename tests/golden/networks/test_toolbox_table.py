"""Accuracy of the toolbox's weights on the whole reduced WorldView-2 scene: the table of the fact sheet."""

import golden
import numpy as np
import pytest
from runs import SENSORS, assert_close, dlpan, run

from panflow.registry import get

TABLE = {  # SAM in degrees / ERGAS; the scene's bands blue, green, red and NIR1 stand for QuickBird's
    "pnn": {"wv2": (5.518, 3.335), "wv3": (14.545, 7.617), "qb": (5.963, 5.184)},
    "pannet": {"wv2": (5.056, 3.017), "wv3": (6.750, 4.512), "qb": (5.407, 4.790)},
    "fusionnet": {"wv2": (4.809, 2.859), "wv3": (8.670, 6.375), "qb": (5.630, 5.417)},
    "dicnn": {"wv2": (5.017, 2.994), "wv3": (9.446, 7.683), "qb": (5.804, 5.587)},
    "msdcnn": {"wv2": (5.087, 3.070), "wv3": (9.852, 7.779), "qb": (5.630, 4.831)},
    "drpnn": {"wv2": (5.010, 3.033), "wv3": (9.979, 7.523), "qb": (6.226, 5.216)},
}
INTERPOLATED = {8: (7.716, 7.606), 4: (6.692, 7.984)}


@pytest.mark.parametrize("sensor", SENSORS)
@pytest.mark.parametrize("name", TABLE)
def test_network(shared, name, sensor):
    network, outputs = dlpan(shared, get("networks", name), sensor)
    scene = golden.inputs(shared, f"wv2_rr{SENSORS[sensor]}")
    fused = run(network, scene["ms"], scene["ms_up"], scene["pan"])
    assert quality(fused, scene["gt"]) == pytest.approx(TABLE[name][sensor], abs=6e-4)
    if "rr" in outputs:
        assert_close(fused, outputs["rr"])


@pytest.mark.parametrize("bands", INTERPOLATED)
def test_interpolation_alone(shared, bands):
    scene = golden.inputs(shared, f"wv2_rr{bands}")
    assert quality(scene["ms_up"], scene["gt"]) == pytest.approx(INTERPOLATED[bands], abs=6e-4)


def quality(fused, reference) -> tuple[float, float]:
    """SAM: mean angle of the spectra in degrees; ERGAS = 100 / 4 sqrt(mean over bands of (RMSE / mean)^2)."""
    x, y = (image.numpy()[0].astype(np.float64) for image in (fused, reference))
    cosine = (x * y).sum(0) / np.sqrt((x**2).sum(0) * (y**2).sum(0))
    error = ((x - y) ** 2).mean((1, 2)) / y.mean((1, 2)) ** 2
    return float(np.degrees(np.arccos(cosine.clip(-1, 1)).mean())), float(25 * np.sqrt(error.mean()))
