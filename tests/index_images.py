"""Images with texture for the tests of indices."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from panflow.assessment import make_case
from panflow.indices import Case


def texture(rng, *shape, scale=1.5):
    """Smooth random counts around 800, [..., H, W]."""
    noise = gaussian_filter(rng.normal(size=shape), (0,) * (len(shape) - 2) + (scale, scale))
    return 800 + 150 * noise / noise.std()


@pytest.fixture
def arrays():
    """fused, pan, ms and reference of a pair of ratio 4, three bands, 72 x 96 pixels."""
    rng = np.random.default_rng(7)
    reference = texture(rng, 3, 72, 96)
    fused = reference + texture(rng, 3, 72, 96) / 8 - 100
    pan = reference.mean(axis=0) + rng.normal(size=(72, 96)) * 5
    ms = reference.reshape(3, 18, 4, 24, 4).mean(axis=(2, 4)) * np.array([1.0, 1.1, 0.9])[:, None, None]
    return {"fused": fused, "pan": pan, "ms": ms, "reference": reference}


@pytest.fixture
def case(arrays):
    return make_case(**arrays)


@pytest.fixture(scope="module", params=("full", "holed"))
def whole(request) -> Case:
    """Two bands, 260 x 256 pixels at ratio 4; holed: some pixels of one tile count nowhere."""
    rng = np.random.default_rng(3)
    reference, change = 800 + 600 * gaussian_filter(rng.normal(size=(2, 2, 260, 256)), (0, 0, 1.5, 1.5))
    fused = reference + change / 8 - 90
    if request.param == "holed":
        fused[:, 140:170, 20:60] = np.nan
    pan = reference.mean(axis=0) + rng.normal(size=(260, 256)) * 5
    ms = reference.reshape(2, 65, 4, 64, 4).mean(axis=(2, 4))
    return make_case(fused, pan, ms, reference)
