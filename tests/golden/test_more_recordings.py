"""What is recorded on imagery, or of further sensors: stored images, edge cases, other implementations, kernels."""

import json
from dataclasses import replace

import numpy as np
import pytest
from recordings import CLASSICAL, REAL, SHARED, TOOLBOX, recording
from test_indices import INDICES, STORED, TOLERANCE, beyond, differences

import panflow
from panflow import sensors
from panflow.assessment import make_case, measure
from panflow.indices._sets import load
from panflow.ops.kernels import gaussian_window_design


@pytest.mark.parametrize("name", [name for name in REAL if recording(name).info["full_frame_outputs"]])
def test_indices_of_stored_outputs_equal_the_toolbox(name):
    """Also of methods that another implementation has computed."""
    case = recording(name)
    for key in case.info["full_frame_outputs"]:
        assert beyond(differences(case, np.moveaxis(case.outputs[key], -1, 0), key), TOLERANCE, STORED) == {}, key


@pytest.mark.parametrize("name", [name for name in REAL if "_rr" in name])
def test_truth_is_ideal(name):
    case = recording(name)
    assert beyond(differences(case, case.reference, "GT"), TOLERANCE) == {}


@pytest.mark.parametrize("bands", (1, 2, 3, 4, 5, 6, 8))
def test_edge_pair_equals_the_toolbox(bands):
    """Zeros, constant blocks, negative values and halves, and sizes that blocks do not divide."""
    folder = CLASSICAL / "edge_metrics"
    expected = json.loads((folder / "metrics.json").read_text())["metrics"][str(bands)]
    pair = np.load(folder / "pair.npz")
    x, y = (pair[key][..., :bands].transpose(2, 0, 1) for key in "XY")
    sensor = replace(sensors.fit_bands(sensors.load("generic"), bands), bits=11)
    indices = {name: INDICES[name] for name in ("Q_avg", "SAM", "SCC", "PSNR", "SSIM")}
    indices |= {"ERGAS_r4": load("ergas"), "Q2n_32_32": load("q2n")}
    indices |= {"Q2n_16_16": load("q2n", block=16), "Q2n_32_16": load("q2n", shift=16)}
    scores = panflow.assess(y, reference=x, indices={name: indices[name] for name in expected}, sensor=sensor)
    assert scores == pytest.approx(expected, abs=TOLERANCE)


def test_khan_at_ms_scale_equals_another_implementation():
    """Published to four digits only (golden.md, section 4): 0.0142, and 0.0293 at PAN scale."""
    case = recording("wv2_fr512")
    images = make_case(case.sharpened("mtf_glp_fs"), case.pan, case.ms, sensor=case.sensor, **TOOLBOX)
    scores = measure(images, {"ms": load("d_lambda_k", scale="ms"), "pan": load("d_lambda_k")})
    assert float(scores["ms"][0]) == pytest.approx(0.0142, abs=5e-5)
    assert float(scores["pan"][0]) == pytest.approx(0.0293, abs=5e-5)


def test_correlation_equals_another_implementation():
    """The mean correlation of bands, published to four digits (golden.md, section 4)."""
    case = recording("wv2_rr256")
    fused = case.outputs["MTF_GLP_FS"].transpose(2, 0, 1)
    scores = panflow.assess(fused, reference=case.reference, indices="cc", sensor="worldview2")
    assert scores["cc"] == pytest.approx(0.9469, abs=5e-5)


def test_unipan_set_equals_its_authors_code():
    """Their code computes in float32."""
    recorded = np.load(SHARED / "golden/networks/unipan/transform_and_metrics.npz")
    fused, pan, ms = (recorded[key].astype(float) for key in ("pred_demo_half", "pan", "ms"))
    scores = panflow.assess(fused, pan, ms, indices="unipan")
    expected = dict(zip(("d_lambda", "d_s", "qnr", "d_rho"), recorded["metrics_demo_from_half"]))
    assert scores == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize("name", ["wv2_rr256", "ik_rr320"])
def test_whole_cases_are_reduced_as_the_toolbox_does(name):
    case = recording(name)
    reduced = panflow.degrade(case.image("PAN"), case.image("MS"), sensor=case.sensor, **TOOLBOX)
    assert np.abs(reduced.ms - case.ms).max() < 1e-6
    assert np.abs(reduced.pan[0] - case.pan).max() < 1e-9


SENSORS = {
    "QB": "quickbird",
    "IKONOS": "ikonos",
    "GeoEye1": "geoeye1",
    "WV4": "worldview4",
    "WV2": "worldview2",
    "WV3": "worldview3",
}


@pytest.mark.parametrize(("key", "name"), SENSORS.items())
def test_gains_and_filters_of_a_sensor_equal_the_toolbox(key, name):
    """But for taps at radius exactly 20, which fall in or out of the window by rounding, 1.5e-10."""
    gains, sensor = json.loads((CLASSICAL / "blocks/mtf_gains.json").read_text()), sensors.load(name)
    assert list(sensor.gains) == gains["ms"][key]
    assert sensor.pan.mtf == gains["pan"][key]
    recorded = np.load(CLASSICAL / "blocks/kernels.npz")
    designs = [gaussian_window_design(gain, (4.0, 4.0)) for gain in sensor.gains]
    assert np.abs(np.stack(designs, axis=-1) - recorded[f"kernel_ms_{key}"]).max() < 2e-10
    assert np.abs(gaussian_window_design(sensor.pan.mtf, (4.0, 4.0)) - recorded[f"kernel_pan_{key}"]).max() < 2e-10


def test_filters_at_ratio_2_and_of_no_sensor_equal_the_toolbox():
    recorded = np.load(CLASSICAL / "blocks/kernels.npz")
    designs = [gaussian_window_design(gain, (2.0, 2.0)) for gain in sensors.load("worldview2").gains]
    assert np.abs(np.stack(designs, axis=-1) - recorded["kernel_ms_WV2_ratio2"]).max() < 2e-10
    none = gaussian_window_design(sensors.load("generic").pan.mtf, (4.0, 4.0))
    assert np.abs(none - recorded["kernel_pan_none"]).max() < 2e-10
