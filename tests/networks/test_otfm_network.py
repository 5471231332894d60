"""OTFM's network, its attention and its critic."""

import pytest
import torch

from panflow.errors import InputError, UnknownName
from panflow.networks._attention import by_shifts, by_tiles
from panflow.networks._critic import Critic
from panflow.networks.otfm import Network, halo

ATTENTION, CONV = ("attention",) * 3, ("conv",) * 3
NARROW = {"widths": (8, 8, 8), "condition": 8, "head": 4}


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def awake(kind: type[torch.nn.Module], *arguments, **options) -> torch.nn.Module:
    """A network with nothing at zero, the same at every call."""
    torch.manual_seed(0)
    network = kind(*arguments, **options)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn(parameter.shape)
    return network.eval()


def images(size: tuple[int, int], bands: int = 4, batch: int = 2) -> dict[str, torch.Tensor]:
    x, ms_up, pan = (draw(batch, c, *size, seed=c + s) for s, c in enumerate((bands, bands, 1)))
    return {"x": x, "t": torch.linspace(0.3, 1, batch), "ms": None, "ms_up": ms_up, "pan": pan}


@pytest.mark.parametrize(("height", "width"), [(16, 24), (19, 37), (5, 6)])
@pytest.mark.parametrize("kernel", [3, 7])
def test_the_attention_forms_agree(height, width, kernel):
    q, k, v = (draw(2, 12, height, width, seed=seed) for seed in range(3))
    tiles, shifts = (form(q, k, v, 3, kernel) for form in (by_tiles, by_shifts))
    assert torch.allclose(tiles, shifts, rtol=0, atol=2e-6)


def test_attention_is_the_softmax_over_the_window():
    q, k, v = (draw(1, 4, 9, 11, seed=seed).double() for seed in range(3))
    row, column = 1, 6  # the window loses two rows at the border
    window = (0, slice(None), slice(0, row + 4), slice(column - 3, column + 4))
    weights = torch.softmax((q[0, :, row, column] @ k[window].flatten(1)) / 2, dim=-1)
    expected = v[window].flatten(1) @ weights
    assert torch.allclose(by_tiles(q, k, v, 1)[0, :, row, column], expected)


def test_the_attention_forms_have_one_gradient():
    def gradient(form) -> torch.Tensor:
        q, k, v = (draw(1, 8, 10, 13, seed=seed).requires_grad_() for seed in range(3))
        (form(q, k, v, 2) * draw(1, 8, 10, 13, seed=9)).sum().backward()
        return torch.stack([x.grad for x in (q, k, v)])

    assert torch.allclose(gradient(by_tiles), gradient(by_shifts), rtol=0, atol=2e-5)


def test_a_mask_made_for_inference_serves_training():
    x = draw(1, 4, 12, 20).requires_grad_()
    with torch.inference_mode():
        by_tiles(x, x, x, 1)
    by_tiles(x, x, x, 1).sum().backward()
    assert x.grad is not None


@pytest.mark.parametrize(
    ("options", "millions"),
    [
        ({"size": "tiny"}, 0.256),
        ({"size": "tiny", "mixers": ATTENTION}, 0.255),
        ({"size": "tiny", "mixers": CONV}, 0.260),
        ({"size": "small"}, 0.600),
        ({"size": "base"}, 2.35),
        ({"size": "large"}, 8.49),
        ({"widths": (16, 24, 32), "condition": 16}, 0.156),
        ({"size": "base", "widths": (64, 128, 192), "head": 32}, 4.41),
    ],
)
def test_parameter_counts(options, millions):
    with torch.device("meta"):
        count = sum(p.numel() for p in Network(8, **options).parameters())
    assert count / 1e6 == pytest.approx(millions, abs=5e-4 if millions < 1 else 5e-3)


@pytest.mark.parametrize("paper_order", [False, True])
def test_an_untrained_network_answers_with_nothing_and_can_learn(paper_order):
    torch.manual_seed(0)
    network = Network(4, paper_order=paper_order)
    answer = network(**images((16, 24)))
    assert answer.shape == (2, 4, 16, 24) and not answer.any()
    answer.sum().backward()
    assert network.head[2].weight.grad.any()


@pytest.mark.parametrize("paper_order", [False, True])
def test_every_input_and_every_parameter_matters(paper_order):
    network = awake(Network, 4, paper_order=paper_order)
    given = images((16, 24))
    for name in ("x", "t", "ms_up", "pan"):
        changed = given | {name: given[name] * 0.5}
        assert not torch.allclose(network(**changed), network(**given))
    network(**given).square().sum().backward()
    assert all(parameter.grad.any() for parameter in network.parameters())


def test_the_order_of_modulation_differs():
    first, second = (awake(Network, 4, paper_order=order) for order in (False, True))
    assert not torch.allclose(first(**images((16, 16))), second(**images((16, 16))))


def test_forms_of_attention_give_one_network():
    tiles, shifts = (awake(Network, 4, mixers=ATTENTION, attention=form) for form in ("tiles", "shifts"))
    given = images((24, 40))
    assert torch.allclose(tiles(**given), shifts(**given), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mixers", [ATTENTION, CONV])
def test_the_halo_is_honest(mixers):
    network = awake(Network, 1, mixers=mixers, **NARROW).double()
    pan = draw(1, 1, 24, 296).double().requires_grad_()
    zero = torch.zeros_like(pan)
    reached = []
    for place in range(144, 152):  # the places in a cell of 8 see unlike far
        network(zero, torch.ones(1), None, zero, pan)[0, 0, 12, place].backward()
        touched = pan.grad[0, 0].abs().sum(0).nonzero().flatten()
        reached += [place - touched.min().item(), touched.max().item() - place]
        pan.grad = None
    assert max(reached) == network.halo == halo()


def test_tiles_at_multiples_of_8_equal_the_whole():
    network = awake(Network, 1, **NARROW).double()
    grow, own = 136, 16
    size = (8, 2 * grow + own + 40)
    whole = {k: v.double() if torch.is_tensor(v) else v for k, v in images(size, bands=1, batch=1).items()}
    start = 24
    stop = start + 2 * grow + own
    part = {k: v[..., start:stop] if torch.is_tensor(v) and v.ndim == 4 else v for k, v in whole.items()}
    centre = slice(start + grow, start + grow + own)
    assert torch.allclose(network(**part)[..., grow : grow + own], network(**whole)[..., centre], rtol=0, atol=1e-10)


def test_wrong_sizes_and_options_are_refused():
    with pytest.raises(InputError, match="multiples of 8, not 20 x 16"):
        Network(4)(**images((20, 16)))
    with pytest.raises(UnknownName, match="'small'"):
        Network(4, size="smal")
    with pytest.raises(InputError, match="does not divide into attention heads of 7"):
        Network(4, head=7)


@pytest.mark.parametrize(("width", "count"), [(32, 177_153), (64, 681_985)])
def test_critic_has_the_size_of_the_published_range(width, count):
    assert sum(p.numel() for p in Critic(8, width).parameters()) == count


@pytest.mark.parametrize("norm", ["group", "batch"])
def test_critic_scores_each_member_by_image_and_time(norm):
    critic = awake(Critic, 4, norm=norm)
    image, t = draw(3, 4, 32, 32), torch.tensor([0.2, 0.5, 1.0])
    scores = critic(image, t)
    assert scores.shape == (3,)
    assert not torch.allclose(scores, critic(image, t.flip(0)))
    alone = critic(image[:1], t[:1])
    assert torch.allclose(alone, scores[:1], atol=1e-6) == (norm == "group")  # batches are normalised together
    assert not list(critic.buffers())


def test_folded_critic_takes_any_bands_in_any_order():
    critic = awake(Critic, 2, folded=True)
    image, t = draw(2, 5, 2, 16, 16), torch.ones(2)
    scores = critic(image, t)
    assert torch.allclose(scores, critic(image[:, [3, 0, 4, 1, 2]], t), atol=1e-6)
    single = torch.stack([critic(image[:, b : b + 1], t) for b in range(5)])
    assert torch.allclose(single.mean(0), scores, atol=1e-6)
