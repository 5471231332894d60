import pytest

from panflow.data import synthetic
from panflow.sensors import load


@pytest.fixture(scope="module")
def pair():
    return synthetic.scene((152, 136), load("ikonos"), seed=3)
