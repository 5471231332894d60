"""What every source of training images keeps to: where its files are not there, it says how to name their folder."""

import numpy as np
import pytest

from panflow import registry
from panflow.data import synthetic
from panflow.data._tiles import Collection
from panflow.data.geotiff import Source
from panflow.errors import MissingInput
from panflow.sensors import load

DRAWN = ("synthetic", "observed")  # which have no files


@pytest.mark.parametrize("name", [name for name in registry.names("data") if name not in DRAWN])
def test_absent_files_are_named_with_the_option(name, tmp_path):
    module = registry.get("data", name)
    with pytest.raises(MissingInput, match=r"place.*: give --data, the folder .*\(data\.root\)"):
        if name == "geotiff":  # whose images are cut into tiles; the others hold tiles
            module.grounds(Source("place"), tmp_path, 32)
        else:
            module.load(Collection(name, "place", "ikonos"), tmp_path)


@pytest.mark.parametrize("sensor", registry.names("sensors"))
def test_drawn_scenes_are_of_any_sensor_and_the_same_at_every_call(sensor):
    one, same, other = (synthetic.scene(64, load(sensor), seed=seed) for seed in (1, 1, 2))
    assert one.reference.shape == (1, len(load(sensor).bands), 64, 64)
    assert np.array_equal(one.pan, same.pan) and not np.array_equal(one.pan, other.pan)
