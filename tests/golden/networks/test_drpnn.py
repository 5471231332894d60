import pytest
from golden import parameters
from halo import measured_halo
from runs import SENSORS, check_dlpan

from panflow.networks import drpnn


@pytest.mark.parametrize(("bands", "count"), [(4, 418365), (8, 433465)])
def test_parameters(bands, count):
    assert parameters(drpnn.Network(bands)) == count


@pytest.mark.parametrize("sensor", SENSORS)
def test_toolbox_weights(shared, sensor):
    check_dlpan(shared, drpnn, sensor)


@pytest.mark.parametrize("blocks", [2, 8])
def test_halo(blocks):
    network = drpnn.Network(2, width=8, blocks=blocks)
    assert measured_halo(network, 2, length=80) == network.halo
