"""UniPAN's quantile maps: the published code's numbers, order, inverse, ties, masks, ways of fitting."""

import numpy as np
import pytest
import torch
from small_pairs import counts, make

from panflow.errors import InputError, UnknownName
from panflow.transforms import unipan
from panflow.transforms._fitted import stack
from panflow.transforms.unipan import Transform


@pytest.fixture(scope="module")
def golden(shared):
    return np.load(shared / "golden/networks/unipan/transform_and_metrics.npz")


def gathered(values: np.ndarray) -> np.ndarray:
    quantiles = unipan.Quantiles(n=values.shape[1], m=1000, seed=0)
    quantiles.add(values)
    return quantiles.result()


@pytest.mark.parametrize("kind", ["ms", "pan"])
def test_quantiles_of_all_pixels(golden, kind):
    image = golden[f"{kind}_down"]
    assert np.abs(gathered(image.reshape(image.shape[1], -1)) - golden[f"{kind}_uniform_quantiles"].T).max() < 1e-6


def test_quantiles_of_the_published_sample(golden):
    values = golden["pan_down"].reshape(1, -1)
    rows = np.arange(values.shape[1])
    np.random.RandomState(42).shuffle(rows)  # the sample that scikit-learn draws
    expected = golden["pan_uniform_quantiles_subsample10000"].T
    assert np.abs(gathered(values[:, rows[:10_000]]) - expected).max() < 1e-6


@pytest.mark.parametrize("target", ["uniform", "normal"])
@pytest.mark.parametrize("kind", ["ms", "pan"])
def test_published_map(golden, kind, target):
    ms, pan = torch.from_numpy(golden["ms_down"]), torch.from_numpy(golden["pan_down"])
    transform = Transform(n=2**20, target=target).fit([make(ms, pan)])
    image = {"ms": ms, "pan": pan}[kind]
    mapped = getattr(transform, kind)(image)
    assert mapped.dtype == torch.float32
    found = mapped.flatten(2)[0].T
    assert np.abs(found.numpy() - golden[f"{kind}_{target}_out"]).max() < 1e-6


def rows(transform: Transform, x: list[float]) -> torch.Tensor:
    """PAN's map of a row of values."""
    return transform.pan(torch.tensor(x).reshape(1, 1, 1, -1)).flatten()


def simple(values: list[float], **options) -> Transform:
    """A map fitted to a PAN image that holds these values."""
    pan = torch.tensor(values).reshape(1, 1, 1, -1)
    return Transform(m=len(values), **options).fit([make(torch.rand(1, 4, 2, 2), pan)])


def test_ties_get_the_mean_of_their_first_and_last_level():
    transform = simple([1.0, 2.0, 2.0, 2.0, 4.0])
    expected = torch.tensor([0.0, 0.0, 0.125, 0.5, 0.875, 1.0, 1.0])
    assert torch.allclose(rows(transform, [0.0, 1.0, 1.5, 2.0, 3.0, 4.0, 9.0]), expected)


def test_ties_at_the_ends_go_to_the_ends():
    assert rows(simple([1.0, 1.0, 2.0, 3.0, 3.0]), [1.0, 2.0, 3.0]).tolist() == [0.0, 0.5, 1.0]


def test_constant_band():
    transform = simple([7.0, 7.0, 7.0])
    assert rows(transform, [6.0, 7.0, 8.0]).tolist() == [0.0, 0.0, 1.0]


@pytest.mark.parametrize("target", ["uniform", "normal"])
@pytest.mark.parametrize("step", [1, 8])
def test_monotone_and_inverse(target, step):
    pair = counts(1, step=step)
    transform = Transform(target=target, m=100).fit([pair])
    order = pair.ms.flatten(2).argsort(dim=-1)
    mapped = transform.ms(pair.ms)
    assert (mapped.flatten(2).gather(-1, order).diff(dim=-1) >= 0).all()
    assert torch.allclose(transform.inverse_ms(mapped.double()), pair.ms.double(), atol=1e-2)
    double = pair.ms.double()
    assert torch.allclose(transform.inverse_ms(transform.ms(double)), double, rtol=0, atol=1e-6)


@pytest.mark.parametrize("target", ["uniform", "normal"])
def test_look_up_of_whole_counts_is_exact(target, monkeypatch):
    pair = counts(2)
    transform = Transform(target=target).fit([pair])
    wide = torch.arange(-500.0, 3596.0).reshape(1, 1, 64, 64)
    fast = transform.pan(wide)
    assert torch.equal(transform.pan(wide.to(torch.int16)), fast)
    monkeypatch.setattr(unipan, "TABLE", 0)
    assert torch.equal(transform.pan(wide), fast)


def test_broken_counts_are_not_rounded():
    pair = counts(2)
    transform = Transform().fit([pair])
    assert not torch.equal(transform.pan(pair.pan + 0.4), transform.pan(pair.pan))


def test_nodata_is_left_out_and_stays():
    pair = counts(3)
    plain = Transform(m=50).fit([pair])
    ms, pan = pair.ms.clone(), pair.pan.clone()
    ms = torch.cat([ms, torch.full_like(ms[..., :2, :], 5000.0)], dim=-2)
    pan = torch.cat([pan, torch.full_like(pan[..., :8, :], float("nan"))], dim=-2)
    valid = torch.ones(1, 1, 18, 16, dtype=torch.bool)
    valid[..., 16:, :] = False
    masked = Transform(m=50).fit([make(ms, pan, ms_valid=valid)])
    assert np.array_equal(masked.table("ms"), plain.table("ms"))
    assert masked.pan(pan)[..., 64:, :].isnan().all()
    nothing = torch.zeros(1, 1, 18, 16, dtype=torch.bool)
    with pytest.raises(InputError, match="at least one valid pixel"):
        Transform().fit([make(ms, pan, ms_valid=nothing)])


def test_only_the_core_of_a_tile_counts():
    pair = counts(4)
    left = make(pair.ms[..., :12], pair.pan[..., :48], core=(0, 64, 0, 32))
    right = make(pair.ms[..., 4:], pair.pan[..., 16:], core=(0, 64, 16, 48))
    whole, tiled = Transform(m=50).fit([pair]), Transform(m=50).fit(iter([left, right]))
    assert np.array_equal(whole.table("ms"), tiled.table("ms"))
    assert np.array_equal(whole.table("pan"), tiled.table("pan"))


def test_the_sample_is_seeded_and_of_the_size_asked():
    pair = counts(5)
    one, same, other = (Transform(n=300, m=20, seed=seed).fit([pair]).table("pan") for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    gatherer = unipan.Quantiles(n=300, m=20, seed=1)
    for row in pair.pan[0, 0].numpy():
        gatherer.add(row[None])
    assert gatherer.values.shape == (1, 300)
    assert set(gatherer.values[0]) <= set(pair.pan.numpy().ravel())
    spread = unipan.Quantiles(n=300, m=20, seed=1)
    for row in np.arange(4096).reshape(64, 64):
        spread.add(row[None])
    assert abs(spread.values.mean() - 2047.5) < 4 * 4096 / np.sqrt(12 * 300)  # early and late rows alike


def test_every_member_of_a_batch_has_its_own_map():
    pair = counts(6, batch=2)
    both = Transform(m=50).fit([pair])
    alone = [Transform(m=50).fit([make(pair.ms[b : b + 1], pair.pan[b : b + 1])]) for b in range(2)]
    together = stack(alone)
    for b in range(2):
        assert torch.equal(both.ms(pair.ms)[b], alone[b].ms(pair.ms[b : b + 1])[0])
    assert torch.equal(together.ms(pair.ms), both.ms(pair.ms))
    assert together.unit().shape == (2, 4, 1, 1)


def test_unit():
    pair = counts(7)
    low, high = np.quantile(pair.ms.numpy(), (0.05, 0.95), axis=(0, 2, 3))
    assert np.allclose(Transform().fit([pair]).unit().ravel(), high - low, atol=1.0)
    assert Transform(unit="bits").fit([pair]).unit().item() == 2047


def test_train_fit_is_kept_in_the_state_dict():
    train, test = counts(8), counts(9, step=4)
    with pytest.raises(InputError, match="train it on such images"):
        Transform(fit="train").fit([test])
    learnt = Transform(fit="train", m=50).learn([train, counts(10, batch=2)])
    opened = Transform(fit="train", m=50)
    opened.load_state_dict(learnt.state_dict())
    fitted = opened.fit([test])
    assert torch.equal(fitted.ms(test.ms), learnt.ms(test.ms))
    assert not torch.equal(fitted.ms(test.ms), Transform(m=50).fit([test]).ms(test.ms))


def test_train_fit_by_bits_compares_shares_of_full_scale():
    whole = counts(8)
    noise = torch.rand(whole.pan.shape, generator=torch.Generator().manual_seed(0))
    ms, pan = whole.ms + noise[..., ::4, ::4], whole.pan + noise  # without ties, which rounding would untie
    train = make(ms.double(), pan.double())
    learnt = Transform(fit="train", unit="bits").learn([train])
    shallow = make(train.ms * 1023 / 2047, train.pan * 1023 / 2047, sensor="gaofen1")
    assert shallow.sensor.bits == 10
    fitted = learnt.fit([shallow])
    assert fitted.unit().item() == 1023
    assert torch.allclose(fitted.ms(shallow.ms), learnt.ms(train.ms), atol=1e-5)


def test_sensor_fit():
    ikonos, quickbird = counts(11), counts(12, step=8, sensor="quickbird")
    learnt = Transform(fit="sensor", m=50).learn([ikonos, quickbird])
    opened = Transform(fit="sensor", m=50)
    opened.load_state_dict(learnt.state_dict())
    for pair in (ikonos, quickbird):
        own = Transform(m=50).fit([pair])
        assert torch.equal(opened.fit([pair]).pan(pair.pan), own.pan(pair.pan))
    with pytest.raises(InputError, match=r"'geoeye1' \(it has ikonos, quickbird\)"):
        opened.fit([counts(13, sensor="geoeye1")])


def test_scene_fit_does_not_learn():
    assert not Transform().learn([counts(14)]).state_dict()


def test_wrong_options_name_the_nearest():
    with pytest.raises(UnknownName, match="'scene'"):
        Transform(fit="scenes")
    with pytest.raises(UnknownName, match="'uniform'"):
        Transform(target="unifrom")
