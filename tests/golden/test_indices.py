"""Every index against the numbers of the field's reference implementations, on all recorded cases."""

import math

import numpy as np
import pytest
from recordings import BLOCKS, DRAWN, METHODS, REAL, TOOLBOX, Recording, blocks, recording

from panflow.assessment import make_case, maps, measure
from panflow.indices._reproject import searched_phases
from panflow.indices._sets import load
from panflow.ops.resample import ms_up, pan_low

INDICES = {
    "Q2n": load("q2n"),
    "Q_avg": load("q_avg"),
    "SAM": load("sam"),
    "ERGAS": load("ergas"),
    "SCC": load("scc"),
    "PSNR": load("psnr"),
    "SSIM": load("ssim"),
    "v15_SCC": load("scc", edges="2015"),
    "D_lambda": load("d_lambda"),
    "D_s": load("d_s"),
    "D_s_hqnr": load("d_s"),
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
    "D_rho_single": load("d_rho"),
    "D_sR_lambdapnn": load("d_sr"),
    "v15_SAM_reproj": load("r_sam", phase="nominal", year=2015),
}
for name, file in {"Q2n": "r_q2n", "Q": "r_q", "SAM": "r_sam", "ERGAS": "r_ergas"}.items():
    INDICES[f"R_{name}"], INDICES[f"R33_{name}"] = load(file), load(file, phase="nominal")
CUT = {f"cut21_{name}": INDICES[name] for name in ("Q2n", "Q_avg", "SAM", "ERGAS", "SCC")}
TOLERANCE = 1e-6  # of our own images
ALIKE = 1e-9  # of the very image that the toolbox had
SINGLE = {"D_rho_single": 5e-4}  # the reference sums in single precision: not tested tightly
# From outputs stored as float32, the rounding to integers inside Q2n changes more (golden.md, section 1.2).
STORED = {"D_lambda_K": 2e-6, "HQNR": 2e-6}
# taps of the filters that are negative by 3e-11 are clipped or not
CLIPPED = {name: 1e-8 for name in INDICES if name.startswith(("R_", "R33_"))}


def differences(case: Recording, fused: np.ndarray, key: str, double: bool = True) -> dict[str, float]:
    """Our value less the recorded one, by the recording's names; no recorded name is left out."""
    images = make_case(fused, case.pan, case.ms, case.reference, sensor=case.sensor, double=double, **TOOLBOX)
    expected = case.metrics[key]
    values = measure(images, {name: INDICES[name] for name in expected if name not in CUT})
    values |= measure(images, {name: CUT[name] for name in expected if name in CUT}, cut=21)
    assert values.keys() == expected.keys()
    assert {name for name, value in expected.items() if value is None} <= {"PSNR"}  # of the truth: infinite
    wanted = {name: math.inf if value is None else value for name, value in expected.items()}
    return {name: 0.0 if values[name][0] == value else float(values[name][0]) - value for name, value in wanted.items()}


def beyond(differences: dict[str, float], tolerance: float, *others: dict[str, float]) -> dict[str, float]:
    """The differences that are larger than allowed."""
    allowed = {name: tolerance for name in differences} | SINGLE
    for other in others:
        allowed |= other
    return {name: d for name, d in differences.items() if not abs(d) < allowed[name]}


FIVE = ("exp", "brovey", "gsa", "bt_h", "mtf_glp_fs")  # of the large cases
OURS = [(name, m) for name in DRAWN for m, key in METHODS.items() if key in recording(name).metrics]
OURS += [(name, method) for name in REAL for method in FIVE]


@pytest.mark.parametrize(("name", "method"), OURS)
def test_indices_equal_the_toolbox(name, method):
    case = recording(name)
    found = differences(case, case.sharpened(method), METHODS[method])
    assert len(found) >= 13
    assert beyond(found, TOLERANCE) == {}


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("image", ["GT", "GT_ROLLED", "MS_REPEATED"])
def test_indices_of_the_same_image_equal_the_toolbox(name, image):
    """Of images that need no method, so that an index alone is tested."""
    case = recording(name)
    images = {
        "GT": case.reference,
        "GT_ROLLED": np.roll(case.reference, (1, 2), (1, 2)),
        "MS_REPEATED": case.ms.repeat(4, 1).repeat(4, 2),
    }
    assert beyond(differences(case, images[image], image), ALIKE, CLIPPED) == {}


@pytest.mark.parametrize("name", DRAWN)
def test_every_recorded_image_is_judged(name):
    case = recording(name)
    assert set(case.metrics) == {"GT", "GT_ROLLED", "MS_REPEATED", *(METHODS[m] for n, m in OURS if n == name)}


@pytest.mark.parametrize("name", DRAWN)
def test_searched_phases_equal_the_reference(name):
    case = recording(name)
    recorded = zip(case.info["coreg_row_1based"], case.info["coreg_col_1based"])
    found = searched_phases(make_case(case.reference, case.pan, case.ms, sensor=case.sensor, **TOOLBOX))
    assert found == [tuple((row - 1, column - 1) for row, column in recorded)]


@pytest.mark.parametrize("name", DRAWN | REAL)
def test_float32_stays_close(name):
    """The stated tolerance of float32; the largest is that of R-Q2n of one block, whose counts are rounded."""
    case = recording(name)
    found = differences(case, case.sharpened("mtf_glp_fs"), METHODS["mtf_glp_fs"], double=False)
    assert beyond(found, 2e-5) == {}


@pytest.mark.parametrize("name", BLOCKS)
def test_q2n_map_equals_the_toolbox(name):
    recorded = blocks(name)
    reference, fused = ms_up(recorded.pair)[0], pan_low(recorded.pair)[0]
    local = maps(fused, reference=reference, indices="q2n")["q2n"]
    expected = recorded["q2n_map_EXP_vs_GLPlow"]
    assert np.abs(local - np.kron(expected, np.ones((32, 32)))).max() < TOLERANCE
    assert expected.mean() == pytest.approx(float(recorded["q2n_EXP_vs_GLPlow"]), abs=1e-12)
