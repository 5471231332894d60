"""Every classical method against the outputs of the field's reference toolbox, on all recorded cases."""

import numpy as np
import pytest
from recordings import DRAWN, METHODS, REAL, recording

TOLERANCE = {"mtf_glp_hpm": 1e-2, "mtf_glp_hpm_r": 1e-2}  # counts, where PAN's low-pass is nearly zero


def recorded(name: str) -> list[str]:
    """The methods of a case: the toolbox defines TV for IKONOS alone."""
    return [method for method, key in METHODS.items() if key in recording(name).statistics]


@pytest.mark.parametrize(("name", "method"), [(name, method) for name in DRAWN | REAL for method in recorded(name)])
def test_output_equals_the_toolbox(name, method):
    case, key = recording(name), METHODS[method]
    fused = case.sharpened(method)
    tolerance = 1e-4 if name in DRAWN else TOLERANCE.get(method, 1e-3)
    windows = {f"{key}__{window}": box for window, box in case.info["windows"].items()} | {key: (0, None, 0, None)}
    compared = {window: box for window, box in windows.items() if window in case.outputs.files}
    assert compared
    for window, (top, bottom, left, right) in compared.items():
        expected = np.moveaxis(case.outputs[window], -1, 0)
        assert np.abs(fused[:, top:bottom, left:right] - expected).max() < tolerance, window


@pytest.mark.parametrize(("name", "method"), [(name, method) for name in DRAWN for method in recorded(name)])
def test_statistics_of_the_whole_image_equal_the_toolbox(name, method):
    case = recording(name)
    bands = case.sharpened(method).reshape(len(case.ms), -1)
    expected = case.statistics[METHODS[method]]
    assert bands.mean(1) == pytest.approx(expected["mean"], abs=1e-5)
    assert bands.std(1, ddof=1) == pytest.approx(expected["std_ddof1"], abs=1e-5)
    assert bands.min(1) == pytest.approx(expected["min"], abs=1e-4)
    assert bands.max(1) == pytest.approx(expected["max"], abs=1e-4)


@pytest.mark.parametrize("name", DRAWN)
def test_every_recorded_output_is_compared(name):
    """No recorded method is without one of ours."""
    case = recording(name)
    outputs = {key.partition("__")[0] for key in case.outputs.files} - {"C_GSA_labels"}
    assert outputs == set(case.statistics) == {METHODS[method] for method in recorded(name)}
