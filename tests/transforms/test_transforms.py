"""The transforms with a straight line: identity, scale, minmax, zscore."""

import pytest
import torch
from small_pairs import counts, make

from panflow import registry
from panflow.errors import InputError


def fitted(name: str, pair, **options):
    return registry.get("transforms", name).Transform(**options).fit([pair])


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
def test_a_constant_band_becomes_zero_with_unit_one(name):
    pair = counts(5)
    ms = pair.ms.clone()
    ms[:, 1] = 300
    transform = fitted(name, make(ms, pair.pan))
    assert not transform.ms(ms)[:, 1].any()
    assert transform.unit()[0, 1].item() == 1
