"""Statistics of indices: what does not add up, and intervals."""

from dataclasses import replace

import numpy as np
import pytest

from panflow.indices._sets import load
from panflow.indices._stats import Sums
from panflow.scene._statistics import Statistic


def test_variants_of_one_window_do_not_add_up(whole):
    for index in (load("d_lambda", variant="global"), load("qnr", variant="global"), load("d_rho", against="ms")):
        found = Statistic.of(index, whole)
        assert not found.additive
        assert found.value(whole) == pytest.approx(float(index(whole)[0]), rel=1e-12)


def test_the_interval_is_that_of_a_mean():
    """RMSE^2 of cells with known scatter: the bootstrap's width is 2 * 1.96 deviations of the mean."""
    rng = np.random.default_rng(0)
    squares = rng.normal(4, 0.5, (400, 1, 1))
    found = Statistic(load("rmse"), (Sums(squares, np.ones((400, 1, 1))),), True)
    low, high = found.interval(None)
    assert low < 2 < high
    assert high**2 - low**2 == pytest.approx(2 * 1.96 * 0.5 / 20, rel=0.1)
    assert found.interval(None) == (low, high), "seeded"


def test_cells_without_data_say_nothing():
    rng = np.random.default_rng(1)
    total, weight = rng.uniform(1, 2, (30, 1, 1)), np.ones((30, 1, 1))
    empty = Sums(np.concatenate([total, 0 * total]), np.concatenate([weight, 0 * weight]))
    statistic = Statistic(load("rmse"), (Sums(total, weight),), True)
    assert replace(statistic, parts=(empty,)).interval(None) == statistic.interval(None)
    assert replace(statistic, parts=(Sums(total[:7], weight[:7]),)).interval(None) is None
