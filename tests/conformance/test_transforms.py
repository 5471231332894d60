"""What every transform keeps to: shapes, kinds of numbers, units, the way back, tiles, batches, nodata, its file."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_pairs import counts, make

from panflow import registry, types

TRANSFORMS = registry.names("transforms")


def fresh(name: str):
    return registry.get("transforms", name).Transform()


@pytest.mark.parametrize("name", TRANSFORMS)
def test_shapes_units_and_the_way_back(name):
    pair = counts(1, batch=2)
    transform = fresh(name).fit([pair])
    assert isinstance(transform, types.Transform)
    mapped = transform.ms(pair.ms)
    assert mapped.shape == pair.ms.shape and mapped.dtype == torch.float32
    assert transform.pan(pair.pan).shape == pair.pan.shape
    assert torch.allclose(transform.inverse_ms(mapped), pair.ms, atol=2e-2)
    unit = transform.unit()
    assert np.broadcast_to(unit, (2, 4, 1, 1)).dtype == np.float32 and (unit > 0).all()


@pytest.mark.parametrize("name", TRANSFORMS)
def test_brighter_stays_brighter(name):
    pair = counts(6)
    mapped = fresh(name).fit([pair]).ms(pair.ms).flatten(2)
    assert (mapped.gather(-1, pair.ms.flatten(2).argsort(dim=-1)).diff(dim=-1) >= 0).all()


@pytest.mark.parametrize("name", TRANSFORMS)
def test_tiles_give_the_tables_of_the_whole(name):
    pair = counts(4)
    left = make(pair.ms[..., :12], pair.pan[..., :48], core=(0, 64, 0, 32))
    right = make(pair.ms[..., 4:], pair.pan[..., 16:], core=(0, 64, 16, 48))
    tiled, whole = fresh(name).fit(iter([left, right])), fresh(name).fit([pair])
    for function, image in ((lambda t: t.ms, pair.ms), (lambda t: t.pan, pair.pan)):
        torch.testing.assert_close(function(tiled)(image), function(whole)(image), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(tiled.unit(), whole.unit(), rtol=1e-6)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_members_of_a_batch_do_not_meet(name):
    pair = counts(6, batch=2)
    both = fresh(name).fit([pair])
    for b in range(2):
        alone = fresh(name).fit([make(pair.ms[b : b + 1], pair.pan[b : b + 1])])
        torch.testing.assert_close(both.ms(pair.ms)[b], alone.ms(pair.ms[b : b + 1])[0])


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_fit_leaves_the_transform_as_it_was(name):
    first, second = counts(1), counts(2, step=4)
    transform = fresh(name)
    expected = transform.fit([first]).ms(first.ms)
    transform.fit([second])
    assert torch.equal(transform.fit([first]).ms(first.ms), expected)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_what_is_masked_enters_no_table(name):
    pair = counts(3)
    plain = fresh(name).fit([pair])
    ms = torch.cat([pair.ms, torch.full_like(pair.ms[..., :2, :], 5000.0)], dim=-2)
    pan = torch.cat([pair.pan, torch.full_like(pair.pan[..., :8, :], 5000.0)], dim=-2)
    ms_valid, pan_valid = torch.ones(1, 1, 18, 16, dtype=torch.bool), torch.ones(1, 1, 72, 64, dtype=torch.bool)
    ms_valid[..., 16:, :] = pan_valid[..., 64:, :] = False
    masked = fresh(name).fit([make(ms, pan, ms_valid=ms_valid, pan_valid=pan_valid)])
    torch.testing.assert_close(masked.ms(pair.ms), plain.ms(pair.ms))
    torch.testing.assert_close(masked.pan(pair.pan), plain.pan(pair.pan))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_what_it_learned_is_in_its_state(name):
    pair = counts(5)
    learned, opened = fresh(name).learn([counts(1)]), fresh(name)
    opened.load_state_dict(learned.state_dict())
    assert torch.equal(opened.fit([pair]).ms(pair.ms), learned.fit([pair]).ms(pair.ms))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_numpy_and_torch_give_the_same(name):
    pair = counts(7, batch=2)
    arrays = replace(pair, ms=pair.ms.numpy(), pan=pair.pan.numpy())
    tensor, array = fresh(name).fit([pair]), fresh(name).fit([arrays])
    for function in ("ms", "pan"):
        for offset in (0.0, 0.3):  # whole counts, which may be looked up, and others
            image = getattr(pair, function) + offset
            mapped = getattr(array, function)(image.numpy())
            assert isinstance(mapped, np.ndarray) and mapped.dtype == np.float32
            np.testing.assert_allclose(mapped, getattr(tensor, function)(image), rtol=1e-6, atol=1e-7)
    back = array.inverse_ms(array.ms(arrays.ms))
    np.testing.assert_allclose(back, tensor.inverse_ms(tensor.ms(pair.ms)), rtol=1e-6)
