"""Compiled loops give what the plain ones give, bit by bit: on borders, at any phase, ratio and number of bands."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from panflow.pairs import make_pair
from panflow.scene.counts import counts
from panflow.zoo import load

NAME = "panflow.ops.compiled"


@pytest.fixture
def loops(monkeypatch):
    """A function that loads the compiled loops for the rest of the test."""
    pytest.importorskip("numba", reason="numba is absent: install the extra `fast`")
    import panflow.ops.compiled as compiled

    monkeypatch.delitem(sys.modules, NAME)
    return lambda: monkeypatch.setitem(sys.modules, NAME, compiled)


def drawn(bands, size, phase, seed=0):
    """A pair in float32, with a dark corner in which ratios are guarded."""
    rng = np.random.default_rng(seed)
    ms = rng.uniform(200, 900, (1, bands, *size))
    pan = rng.uniform(200, 900, (1, 1, *(round(4 * n) for n in size)))
    ms[..., :9, :9], pan[..., :20, :20] = 0, 0
    return make_pair(pan.astype(np.float32), ms.astype(np.float32), phase=phase, double=False)


GEOMETRIES = [
    (4, (40, 33), "corner"),
    (1, (30, 30), (-2.25, 3.5)),
    (8, (30, 31), 0),
    (3, (30, 30), [(1.5, 1.5), (0.0, -2.0), (1.5, 1.5)]),
]


@pytest.mark.parametrize("method", ["brovey", "bt_h", "gsa", "mtf_glp_fs"])
@pytest.mark.parametrize("bands, size, phase", GEOMETRIES)
def test_methods_give_the_same_bits(loops, method, bands, size, phase):
    pair = drawn(bands, size, phase)
    fitted = load(method).fit([pair])
    plain = fitted(pair)
    loops()
    assert np.array_equal(fitted(pair), plain)


def test_what_the_loops_do_not_serve_is_computed_plainly(loops):
    one, other = drawn(3, (30, 30), 1.5), drawn(3, (30, 30), 1.5, seed=1)
    both = replace(one, pan=np.concatenate([one.pan, other.pan]), ms=np.concatenate([one.ms, other.ms]))
    double = replace(one, pan=one.pan.astype(float), ms=one.ms.astype(float))
    for pair in (both, double):
        fitted = load("gsa").fit([pair])
        plain = fitted(pair)
        loops()
        assert np.array_equal(fitted(pair), plain) and plain.dtype == pair.pan.dtype


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_rounding_gives_the_same_bits_and_counts(loops, kind):
    image = np.random.default_rng(0).normal(100, 200, (3, 100, 70)).astype(np.float32)
    image[0, :8] = np.arange(-35, 35) + 0.5
    image[1, 5, :3] = 1e9, -1e9, 65535.5
    plain, clipped = counts(image, None, np.dtype(kind), None)
    loops()
    found, counted = counts(image, None, np.dtype(kind), None)
    assert np.array_equal(found, plain) and counted == clipped > 0
