"""Every runtime gives torch's answer, and a model gives its result by each of them."""

import pytest
import torch

import panflow
from panflow import registry, zoo
from panflow.data import synthetic
from panflow.errors import MissingInput, UnknownName
from panflow.learned.file import build
from panflow.learned.runtime import backend, bf16, names, onnx
from panflow.learned.runtime._backend import difference, random_inputs
from panflow.sensors import load

# of the answer to white noise; bfloat16, which OpenVINO takes too, rounds by 0.4 % at every layer
LIMITS = {"torch": 1e-5, "bf16": 0.02, "openvino": 0.02, "onnx": 1e-5}

WANTED = [
    (4, (90, 70), (20, 60, 17, 50)),  # well inside
    (3, (64, 40), (0, 40, 28, 40)),  # at two borders, where the image ends
    (1, (33, 40), (0, 33, 0, 40)),
    (2, (64, 64), (30, 31, 5, 6)),
]


def network(name: str, **options) -> torch.nn.Module:
    """A network with nothing at zero."""
    sections = {"transform": {"name": "scale", "bits": 11}, "objective": {"name": "regression"}}
    made = build({"network": {"name": name, "bands": 4, **options}, **sections}).network
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += 0.03 * torch.randn(parameter.shape)
    return made


NETWORKS = {
    "otfm tiny, conv": lambda: network("otfm", size="tiny", mixers=["conv"] * 3),
    "otfm tiny, attention": lambda: network("otfm", size="tiny", mixers=["attention"] * 3),
    "the default": lambda: zoo.load(device="cpu").network,
    "pannet": lambda: network("pannet", width=8, blocks=1),
}


@pytest.mark.parametrize("made", NETWORKS.values(), ids=NETWORKS.keys())
def test_onnx_runtime_equals_torch_at_t_1(made):
    if onnx.missing():
        pytest.skip(onnx.missing())
    asked = made()
    assert difference(onnx.Backend(asked), asked, *random_inputs(asked, {"bands": 4}, (32, 40))) < 1e-5


@pytest.mark.parametrize("name", registry.names("runtimes"))
def test_runtimes_answer_alike_for_several_shapes(name):
    module = registry.get("runtimes", name)
    if module.missing():
        pytest.skip(module.missing())
    asked = zoo.load(device="cpu").network
    answers = backend(name, asked)
    for bands, size in ((4, (40, 33)), (3, (24, 24))):
        assert difference(answers, asked, *random_inputs(asked, {"bands": bands}, size)) < LIMITS[name]
    assert answers.halo == asked.halo and answers.denoiser


@pytest.mark.parametrize("name", ["torch", "bf16"])
@pytest.mark.parametrize(("bands", "size", "core"), WANTED)
def test_what_is_wanted_of_an_answer_is_the_same_bits(name, bands, size, core):
    if registry.get("runtimes", name).missing():
        pytest.skip("is not installed here")
    asked = zoo.load(device="cpu").network
    answers = backend(name, asked)
    state, inputs = random_inputs(asked, {"bands": bands}, size)
    top, bottom, left, right = core
    with torch.inference_mode():
        whole, part = (one(*state, **inputs)[..., top:bottom, left:right] for one in (answers, answers.within(core)))
    assert torch.equal(whole, part)


def test_plain_torch_takes_networks_without_a_form_of_their_own():
    asked = network("pannet", width=8, blocks=1)
    assert difference(backend("auto", asked), asked, *random_inputs(asked, {"bands": 4})) < 1e-5  # never in bfloat16


def test_half_precision_for_all_bands_at_once_is_as_near():
    asked = zoo.load(device="cpu").network
    asked.band_by_band = None  # as on CUDA
    answers = bf16.Backend(asked)
    assert answers.mixed == torch.bfloat16 and answers.within((0, 1, 0, 1)) is answers
    assert 0 < difference(answers, asked, *random_inputs(asked, {"bands": 4}, (40, 33))) < LIMITS["bf16"]


@pytest.mark.parametrize("name", registry.names("runtimes"))
def test_no_runtime_costs_half_a_percent_of_sam_or_ergas(name):
    module = registry.get("runtimes", name)
    if module.missing():
        pytest.skip(module.missing())
    pair = synthetic.scene((192, 160), load("ikonos"), seed=3)  # on a few hundred MS pixels scores move by more

    def scores(runtime: str) -> dict[str, float]:
        fused = zoo.load(device="cpu", runtime=runtime).fit([pair])(pair)
        return panflow.assess(fused[0], reference=pair.reference[0], indices=("sam", "ergas"), sensor="ikonos")

    plain, found = scores("torch"), scores(name)
    assert all(abs(found[index] / plain[index] - 1) < 0.005 for index in plain), (plain, found)


def test_what_is_not_there_is_told(monkeypatch):
    assert names()[0] == "auto" and {"bf16", "onnx", "openvino", "torch"} <= set(names())
    with pytest.raises(UnknownName, match="did you mean 'onnx'"):
        zoo.load(device="cpu", runtime="onxx")
    monkeypatch.setattr(onnx, "find_spec", lambda name: None)
    with pytest.raises(MissingInput, match=r'pip install "panflow\[onnx\]"'):
        zoo.load("otfm", device="cpu", runtime="onnx")


def test_auto_takes_bfloat16_only_where_it_is_computed(monkeypatch):
    asked = zoo.load(device="cpu").network
    monkeypatch.setattr(bf16, "missing", lambda: None)
    assert type(backend("auto", asked)) is bf16.Backend
    assert type(backend("auto", asked, evaluations=5)) is not bf16.Backend
    monkeypatch.setattr(bf16, "missing", lambda: "no")
    assert type(backend("auto", asked)) is not bf16.Backend
