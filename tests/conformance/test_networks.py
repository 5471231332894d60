"""What every network declares and keeps to: shapes, halo, batches, bands, weights, gradients, the way into a model."""

import re
from inspect import signature

import pytest
import torch
from halo import measured_halo

from panflow import registry, types
from panflow.learned.file import build, open_model, save
from panflow.learned.inputs import View, shape
from panflow.sensors import fit_bands, load
from panflow.types import NOTHING

NETWORKS = registry.names("networks")
SIZE = (16, 24)  # PAN pixels
# Options by which large networks are asked quickly where the question is about layers. Attention multiplies what it
# leaves out by zero, which passes not-a-number on: its halo is measured by gradients (test_otfm_network)
SMALL = {
    "otfm": {"mixers": ("conv",) * 3, "widths": (8, 8, 8), "condition": 8, "head": 8},
    "mdcun": {"iterations": 1, "width": 4},
    "premix": {"width": 8, "blocks": 1},
    "sfiin": {"width": 8},
    "feinfn": {"width": 16, "blocks": 1},
    "ddif": {"width": 8, "blocks": 1},
    "pandiff": {"width": 8, "blocks": 1},
}


def options_of(name: str, bands: int = 4) -> dict:
    """What a network is built with: bands, but for those that serve any number."""
    takes = signature(registry.get("networks", name).Network).parameters
    return ({"bands": bands} if "bands" in takes else {}) | SMALL.get(name, {})


def awake(name: str, bands: int = 4):
    """A network with nothing at zero, the same at every call."""
    torch.manual_seed(0)
    network = registry.get("networks", name).Network(**options_of(name, bands))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.03 * torch.randn(parameter.shape)
    return network.eval()


def is_local(name: str) -> bool:
    with torch.device("meta"):
        return registry.get("networks", name).Network(**options_of(name)).halo is not None


LOCAL = [name for name in NETWORKS if is_local(name)]


def images(network, bands: int = 4, batch: int = 1, size: tuple[int, int] = SIZE) -> tuple[tuple, dict]:
    """Random images between 0 and 1: a denoiser's state and time, and the inputs by name."""
    rng = torch.Generator().manual_seed(1)
    shapes = {name: shape(name, bands, size, (4.0, 4.0)) for name in network.inputs}
    named = {name: torch.rand(batch, *each, generator=rng) for name, each in shapes.items()}
    state = (torch.rand(batch, bands, *size, generator=rng), torch.ones(batch)) if network.denoiser else ()
    return state, NOTHING | named


@torch.no_grad()
def ask(network, *given, **more) -> torch.Tensor:
    state, named = given or images(network, **more)
    return network(*state, **named)


@pytest.mark.parametrize("name", NETWORKS)
def test_what_it_declares(name):
    network = awake(name)
    assert isinstance(network, types.Network) and isinstance(network, torch.nn.Module)
    assert network.inputs and all(
        isinstance(getattr(View, each), property) or each in dir(View) for each in network.inputs
    )
    assert isinstance(network.multiple, int) and network.multiple >= 1
    assert network.halo is None or (isinstance(network.halo, int) and network.halo >= 0)
    assert network.predicts in ("image", "residual")
    assert network.estimates in (None, "clean", "noise") and (network.denoiser or network.estimates is None)
    assert all(re.compile(pattern) and (new is None or isinstance(new, str)) for pattern, new in network.KEYS)
    assert registry.get("networks", name).Network.__doc__


@pytest.mark.parametrize("name", NETWORKS)
def test_bands_and_shape_of_the_answer(name):
    for bands in (1, 4, 8):
        network = awake(name, bands)
        answer = ask(network, bands=bands)
        assert answer.shape == (1, bands, *SIZE) and answer.dtype == torch.float32 and answer.isfinite().all()


@pytest.mark.parametrize("name", NETWORKS)
def test_sizes_that_are_multiples_will_do(name):
    network = awake(name)
    cell = torch.lcm(torch.tensor(network.multiple), torch.tensor(4)).item()
    size = (5 * cell, 3 * cell)
    assert ask(network, size=size).shape == (1, 4, *size)


@pytest.mark.parametrize("name", NETWORKS)
def test_members_of_a_batch_do_not_meet_and_nothing_is_drawn_anew(name):
    """In float64, since phases of spectra jump by a turn where they are rounded otherwise."""
    network = awake(name).double()
    state, named = images(network, batch=2)
    state, named = tuple(each.double() for each in state), {k: x if x is None else x.double() for k, x in named.items()}
    both = ask(network, state, named)
    assert torch.equal(both, ask(network, state, named))
    first = {key: image if image is None else image[:1] for key, image in named.items()}
    alone = ask(network, tuple(each[:1] for each in state), first)
    torch.testing.assert_close(both[:1], alone, rtol=0, atol=1e-9 * float(alone.abs().max()))


@pytest.mark.parametrize("name", LOCAL)
def test_halo_is_what_not_a_number_reaches(name):
    network = awake(name, 2)
    length = -(-(2 * network.halo + 9) // 8) * 8
    rows = 8 if network.multiple == 8 else 12
    assert measured_halo(network, 2, length, rows=rows) == network.halo


@pytest.mark.parametrize("name", NETWORKS)
def test_every_input_and_every_parameter_matters(name):
    network = awake(name).train()
    state, named = images(network)
    answer, stages = network.staged(*state, **named)
    parts = [part for stage in stages for part in (stage.mean, stage.aleatoric, stage.epistemic)]
    sum(part.square().mean() for part in (answer, *parts)).backward()
    assert [key for key, parameter in network.named_parameters() if parameter.grad is None] == []
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())
    network.eval()
    answer = ask(network, state, named)
    for each in network.inputs:
        assert not torch.equal(ask(network, state, named | {each: 0.5 * named[each]}), answer), each


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_gives_the_same_network(name, tmp_path):
    sections = {"transform": {"name": "scale", "bits": 11}, "objective": {"name": "regression"}}
    sensor = fit_bands(load("ikonos"), 4)
    model = build({"network": {"name": name, **options_of(name)}, **sections}, sensor=sensor)
    model.network.load_state_dict(awake(name).state_dict())
    save(model, tmp_path / "model.safetensors")
    again = open_model(tmp_path / "model.safetensors")
    assert torch.equal(ask(again.network.eval()), ask(model.network.eval()))
    assert again.sensor == sensor
