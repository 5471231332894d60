"""The network of any number of bands: its halo, its symmetry, its start."""

import pytest
import torch

from panflow.networks.bandwise import PLANES, SCENE, Network


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def images(bands: int, height: int, width: int, batch: int = 1) -> dict[str, torch.Tensor]:
    named = {name: draw(batch, bands, height, width, seed=k) for k, name in enumerate((*PLANES, "ms_up"))}
    scene = {name: draw(batch, bands, 1, 1, seed=91 + k) for k, name in enumerate(("correlation", *SCENE))}
    return named | scene | {"pan": draw(batch, 1, height, width, seed=90)}


def awake(**options) -> Network:
    """A network with nothing at zero."""
    torch.manual_seed(0)
    network = Network(**options)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn(parameter.shape)
    return network.eval()


def ask(network: Network, named: dict, x: torch.Tensor | None = None, t: float = 1.0) -> torch.Tensor:
    level = named["level"]
    return network(torch.zeros_like(level) if x is None else x, torch.full((len(level),), t), **named)


@pytest.mark.parametrize("dilations", [(1,), (1, 2, 2, 1), (3, 1)])
def test_the_halo_is_honest(dilations):
    network = awake(width=4, dilations=dilations).double()
    side = 2 * network.halo + 9
    named = {k: v.double().requires_grad_() for k, v in images(2, side, side).items()}
    middle = side // 2
    ask(network, named)[0, 0, middle, middle].backward()
    for axis in (0, 1):
        touched = named["pan"].grad[0, 0].abs().sum(1 - axis).nonzero().flatten()
        assert middle - int(touched.min()) == int(touched.max()) - middle == network.halo


def test_bands_may_come_in_any_order_and_number():
    network, named, order = awake(width=4), images(5, 12, 10, batch=2), [3, 0, 4, 1, 2]
    turned = {k: v if k == "pan" else v[:, order] for k, v in named.items()}
    torch.testing.assert_close(ask(network, turned), ask(network, named)[:, order], rtol=0, atol=1e-5)
    assert ask(network, images(1, 8, 8)).shape == (1, 1, 8, 8)


def test_an_untrained_network_injects_detail_by_correlation():
    named = images(3, 8, 8)
    torch.testing.assert_close(ask(Network(), named), named["correlation"] * named["detail"])


def test_every_input_matters():
    network, named = awake(width=4), images(3, 10, 10)
    answer = ask(network, named)
    for name in named:
        assert not torch.allclose(ask(network, named | {name: named[name] * 0.5}), answer), name
    assert not torch.allclose(ask(network, named, x=draw(1, 3, 10, 10, seed=5)), answer)
    assert not torch.allclose(ask(network, named, t=0.5), answer)


def test_the_size_of_the_bundled_network():
    assert sum(p.numel() for p in Network().parameters()) == 80_803
