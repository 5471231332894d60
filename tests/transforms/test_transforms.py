"""The transforms with a straight line: identity, scale, minmax, zscore; and what all of them promise."""

import pytest
import torch
from small_pairs import counts, make

from panflow import registry
from panflow.errors import InputError


def fitted(name: str, pair, **options):
    return registry.get("transforms", name).Transform(**options).fit([pair])


@pytest.mark.parametrize("name", registry.names("transforms"))
def test_promises_of_every_transform(name):
    pair = counts(1, batch=2)
    transform = fitted(name, pair)
    mapped = transform.ms(pair.ms)
    assert mapped.shape == pair.ms.shape and mapped.dtype == torch.float32
    assert transform.pan(pair.pan).shape == pair.pan.shape
    assert torch.allclose(transform.inverse_ms(mapped), pair.ms, atol=2e-2)
    unit = transform.unit()
    assert torch.broadcast_to(unit, (2, 4, 1, 1)).dtype == torch.float32 and (unit > 0).all()


@pytest.mark.parametrize("name", ["minmax", "zscore", "unipan"])
def test_an_unfitted_transform_says_so(name):
    with pytest.raises(InputError, match="fit it to a scene"):
        registry.get("transforms", name).Transform().ms(counts(1).ms)


def test_scale():
    pair = counts(1)
    assert torch.equal(fitted("scale", pair).pan(pair.pan), pair.pan / 2047)
    assert fitted("scale", pair, bits=8).unit().item() == 255
    with pytest.raises(InputError, match="give `bits`"):
        registry.get("transforms", "scale").Transform().ms(pair.ms)


def test_minmax():
    pair = counts(2)
    mapped = fitted("minmax", pair).ms(pair.ms)
    assert torch.equal(mapped.amin((2, 3)), torch.zeros(1, 4))
    assert torch.equal(mapped.amax((2, 3)), torch.ones(1, 4))


def test_zscore():
    pair = counts(3)
    mapped = fitted("zscore", pair).pan(pair.pan)
    assert mapped.mean().abs() < 1e-5 and abs(mapped.std().item() - 1) < 1e-5


@pytest.mark.parametrize("name", ["minmax", "zscore"])
def test_tiles_give_the_table_of_the_whole(name):
    pair = counts(4)
    left = make(pair.ms[..., :12], pair.pan[..., :48], core=(0, 64, 0, 32))
    right = make(pair.ms[..., 4:], pair.pan[..., 16:], core=(0, 64, 16, 48))
    tiled = registry.get("transforms", name).Transform().fit(iter([left, right]))
    whole = fitted(name, pair)
    assert torch.allclose(tiled.ms(pair.ms), whole.ms(pair.ms), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["minmax", "zscore"])
def test_a_constant_band_becomes_zero_with_unit_one(name):
    pair = counts(5)
    ms = pair.ms.clone()
    ms[:, 1] = 300
    transform = fitted(name, make(ms, pair.pan))
    assert not transform.ms(ms)[:, 1].any()
    assert transform.unit()[0, 1].item() == 1
