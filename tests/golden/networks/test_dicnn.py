import math

import pytest
import torch
from golden import parameters
from runs import SENSORS, check_dlpan

from panflow.networks import dicnn


@pytest.mark.parametrize(("bands", "count"), [(4, 42180), (8, 46792)])
def test_parameters(bands, count):
    assert parameters(dicnn.Network(bands)) == count


@pytest.mark.parametrize("sensor", SENSORS)
def test_toolbox_weights(shared, sensor):
    check_dlpan(shared, dicnn, sensor)


def test_initialisation():
    torch.manual_seed(0)
    hidden = dicnn.Network(4).layers[2]  # 36,864 weights, fan-in 576
    std = math.sqrt(2.6 / 576)
    assert hidden.weight.abs().max() <= 2 * std
    # A normal cut at two deviations keeps 0.7737 of its variance.
    assert hidden.weight.std().item() == pytest.approx(math.sqrt(0.7737) * std, rel=0.02)
    assert not hidden.bias.any()
