import pytest
from golden import parameters
from halo import measured_halo
from runs import SENSORS, check_dlpan, check_panbench, check_unipan

from panflow.networks import fusionnet

UNIPAN_KEYS = (
    (r"^ResidualBlocks\.(\d)\.Conv(\d)\.", r"blocks.\1.conv\2."),
    (r"^Conv1\.", "head.0."),
    (r"^Conv2\.", "tail."),
)


@pytest.mark.parametrize(("bands", "count"), [(4, 76324), (8, 78632)])
def test_parameters(bands, count):
    assert parameters(fusionnet.Network(bands)) == count


@pytest.mark.parametrize("sensor", SENSORS)
def test_toolbox_weights(shared, sensor):
    check_dlpan(shared, fusionnet, sensor)


def test_panbench_weights(shared):
    check_panbench(shared, fusionnet, "panbench")


@pytest.mark.parametrize("bands", [4, 8])
def test_unipan_form(shared, bands):
    check_unipan(shared, fusionnet, bands, UNIPAN_KEYS, aligned=True)


@pytest.mark.parametrize("form", ["original", "panbench"])
@pytest.mark.parametrize("blocks", [2, 4])
def test_halo(form, blocks):
    network = fusionnet.Network(3, form=form, blocks=blocks)
    assert measured_halo(network, 3, length=40) == network.halo
