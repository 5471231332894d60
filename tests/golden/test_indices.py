"""Every index against the numbers of the field's reference implementations, on all recorded cases."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import panflow
from panflow import sensors
from panflow.assessment import make_case, maps, measure
from panflow.indices._sets import load

CASES = ("wv2_rr320", "wv2_rr256", "wv2_fr512", "wv2_fr128", "ik_rr320", "ik_rr256", "ik_fr512", "ik_fr128")
METHODS = {"exp": "EXP", "brovey": "Brovey", "gsa": "GSA", "bt_h": "BT_H", "mtf_glp_fs": "MTF_GLP_FS"}
WITH_REFERENCE = {
    "Q2n": load("q2n"),
    "Q_avg": load("q_avg"),
    "SAM": load("sam"),
    "ERGAS": load("ergas"),
    "SCC": load("scc"),
    "PSNR": load("psnr"),
    "SSIM": load("ssim"),
    "v15_SCC": load("scc", edges="2015"),
}
CUT = {f"cut21_{name}": WITH_REFERENCE[name] for name in ("Q2n", "Q_avg", "SAM", "ERGAS", "SCC")}
WITHOUT = {
    "D_lambda": load("d_lambda"),
    "D_s": load("d_s"),
    "QNR": load("qnr"),
    "D_lambda_K": load("d_lambda_k"),
    "HQNR": load("hqnr"),
    "paper_D_lambda": load("d_lambda", variant="paper"),
    "paper_D_s": load("d_s", variant="paper"),
    "paper_QNR": load("qnr", variant="paper"),
    "v15_D_s": load("d_s", variant="2015"),
    "v15_QNR": load("qnr", variant="2015"),
    "D_rho": load("d_rho"),
    "D_rho_hw8": load("d_rho", half=8),
    "D_sR_lambdapnn": load("d_sr"),
    "v15_SAM_reproj": load("r_sam", phase="nominal", year=2015),
}
for name, file in {"Q2n": "r_q2n", "Q": "r_q", "SAM": "r_sam", "ERGAS": "r_ergas"}.items():
    WITHOUT[f"R_{name}"], WITHOUT[f"R33_{name}"] = load(file), load(file, phase="nominal")
TOLERANCE = 1e-6
# From outputs stored as float32, the rounding to integers inside Q2n changes more (golden.md, section 1.2).
STORED = {"D_lambda_K": 2e-6, "HQNR": 2e-6}


class Recording:
    """One case: what the toolbox was given, and the numbers that it found."""

    def __init__(self, folder: Path):
        recorded = json.loads((folder / "metrics.json").read_text())
        self.info, self.metrics = recorded["case"], recorded["metrics"]
        self.sensor = {"WV2": "worldview2", "IKONOS": "ikonos"}[self.info["sensor"]]
        inputs, self.outputs = np.load(folder / "inputs.npz"), np.load(folder / "outputs.npz")
        reduced = "_LR" if self.info["kind"] == "rr" else ""
        self.pan = inputs[f"PAN{reduced}"].astype(float)
        self.ms = inputs[f"MS{reduced}"].astype(float).transpose(2, 0, 1)
        self.reference = inputs["MS"].astype(float).transpose(2, 0, 1) if reduced else None

    def case(self, fused, double=True):
        return make_case(fused, self.pan, self.ms, self.reference, sensor=self.sensor, phase="toolbox", double=double)

    def differences(self, fused, key, double=True):
        """What we find less what was recorded, by the recording's names."""
        case = self.case(fused, double)
        found = measure(case, WITHOUT if self.reference is None else WITH_REFERENCE)
        if self.reference is not None:
            found |= measure(case, CUT, cut=21)
        expected = {name: self.metrics[key][name] for name in found}
        return {name: float(found[name][0]) - value for name, value in expected.items() if value is not None}


@pytest.fixture(scope="module", params=CASES)
def recording(request, shared):
    return Recording(shared / "golden/classical" / request.param)


@pytest.mark.parametrize("method", METHODS)
def test_indices_equal_the_toolbox(recording, method):
    fused = panflow.sharpen(recording.pan, recording.ms, method=method, sensor=recording.sensor, phase="toolbox")
    differences = recording.differences(fused, METHODS[method])
    assert len(differences) >= 13
    assert {name: d for name, d in differences.items() if not abs(d) < TOLERANCE} == {}


def test_indices_of_stored_outputs_equal_the_toolbox(recording):
    """Also of methods that another implementation has computed."""
    for key in recording.info["full_frame_outputs"]:
        differences = recording.differences(recording.outputs[key].transpose(2, 0, 1), key)
        wrong = {name: d for name, d in differences.items() if not abs(d) < STORED.get(name, TOLERANCE)}
        assert wrong == {}, key


def test_float32_stays_close(recording):
    """The stated tolerance of float32; the largest is that of R-Q2n of one block, whose counts are rounded."""
    key = METHODS["mtf_glp_fs"]
    fused = panflow.sharpen(recording.pan, recording.ms, method="mtf_glp_fs", sensor=recording.sensor, phase="toolbox")
    for name, d in recording.differences(fused, key, double=False).items():
        assert abs(d) < 2e-5, name


@pytest.mark.parametrize("name", [case for case in CASES if "_rr" in case])
def test_truth_is_ideal(shared, name):
    recording = Recording(shared / "golden/classical" / name)
    assert recording.metrics["GT"]["PSNR"] is None
    differences = recording.differences(recording.reference, "GT")
    assert {name: d for name, d in differences.items() if not abs(d) < TOLERANCE} == {}


@pytest.mark.parametrize("bands", (1, 2, 3, 4, 5, 6, 8))
def test_edge_pair_equals_the_toolbox(shared, bands):
    """Zeros, constant blocks, negative values and halves, and sizes that blocks do not divide."""
    folder = shared / "golden/classical/edge_metrics"
    expected = json.loads((folder / "metrics.json").read_text())["metrics"][str(bands)]
    pair = np.load(folder / "pair.npz")
    x, y = (pair[key][..., :bands].transpose(2, 0, 1) for key in "XY")
    sensor = replace(sensors.fit_bands(sensors.load("generic"), bands), bits=11)
    indices = {name: WITH_REFERENCE[name] for name in ("Q_avg", "SAM", "SCC", "PSNR", "SSIM")}
    indices |= {"ERGAS_r4": load("ergas"), "Q2n_32_32": load("q2n")}
    indices |= {"Q2n_16_16": load("q2n", block=16), "Q2n_32_16": load("q2n", shift=16)}
    found = panflow.assess(y, reference=x, indices={name: indices[name] for name in expected}, sensor=sensor)
    assert found == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize("image", ("wv2", "ik"))
def test_q2n_map_equals_the_toolbox(shared, image):
    blocks = np.load(shared / f"golden/classical/blocks/blocks_{image}.npz")
    expected = blocks["q2n_map_EXP_vs_GLPlow"]
    reference, fused = (blocks[key].transpose(2, 0, 1) for key in ("interp23tap", "GLP_lowpass_PAN"))
    found = maps(fused, reference=reference, indices="q2n")["q2n"]
    assert np.abs(found - np.kron(expected, np.ones((32, 32)))).max() < TOLERANCE


def test_khan_at_ms_scale_equals_another_implementation(shared):
    """Published to four digits only (golden.md, section 4): 0.0142, and 0.0293 at PAN scale."""
    recording = Recording(shared / "golden/classical/wv2_fr512")
    fused = panflow.sharpen(recording.pan, recording.ms, method="mtf_glp_fs", sensor="worldview2", phase="toolbox")
    found = measure(recording.case(fused), {"ms": load("d_lambda_k", scale="ms"), "pan": load("d_lambda_k")})
    assert float(found["ms"][0]) == pytest.approx(0.0142, abs=5e-5)
    assert float(found["pan"][0]) == pytest.approx(0.0293, abs=5e-5)


def test_correlation_equals_another_implementation(shared):
    """The mean correlation of bands, published to four digits (golden.md, section 4)."""
    recording = Recording(shared / "golden/classical/wv2_rr256")
    fused = recording.outputs["MTF_GLP_FS"].transpose(2, 0, 1)
    found = panflow.assess(fused, reference=recording.reference, indices="cc", sensor="worldview2")
    assert found["cc"] == pytest.approx(0.9469, abs=5e-5)


def test_unipan_set_equals_its_authors_code(shared):
    """Their code computes in float32."""
    recorded = np.load(shared / "golden/networks/unipan/transform_and_metrics.npz")
    fused, pan, ms = (recorded[key].astype(float) for key in ("pred_demo_half", "pan", "ms"))
    found = panflow.assess(fused, pan, ms, indices="unipan")
    expected = dict(zip(("d_lambda", "d_s", "qnr", "d_rho"), recorded["metrics_demo_from_half"]))
    assert found == pytest.approx(expected, abs=TOLERANCE)
