"""Small images with texture for the tests of indices."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from panflow.assessment import make_case


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
