"""Small models with nothing at zero, and a scene sharpened tile by tile."""

import numpy as np
import torch

from panflow.learned.file import build
from panflow.learned.model import Model
from panflow.ops.window import tiles, window
from panflow.sensors import load

BANDWISE = {"name": "bandwise", "width": 4, "dilations": [1]}
PLAIN = {"name": "scale", "bits": 11}


def made(network: dict, transform: dict | None = None, **more) -> Model:
    """A model with nothing at zero, the same at every call."""
    torch.manual_seed(0)
    sections = {"network": network, "transform": transform or PLAIN, "objective": {"name": "regression"}, **more}
    model = build(sections, sensor=load("ikonos"))
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter += 0.03 * torch.randn(parameter.shape)
    return model


def tiled(fitted: Model, pair, side: int) -> np.ndarray:
    halo = fitted.halo(pair.ratio)
    fused = np.zeros((1, pair.bands, *pair.size), pair.ms.dtype)
    for top, bottom, left, right in tiles(pair.size, side):
        tile = window(pair, top, bottom, left, right, halo)
        own = fitted(tile)[..., tile.core[0] : tile.core[1], tile.core[2] : tile.core[3]]
        fused[..., top:bottom, left:right] = own
    return fused
