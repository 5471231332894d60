"""All ground that a recipe names, in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from panflow import sensors
from panflow.data import geotiff, synthetic
from panflow.data._augment import Ground, valid_corners


def grounds(options: Any) -> list[Ground]:
    """The sources below the root, and drawn scenes of each sensor (seeds from 0)."""
    root, tile = Path(options.root), options.tile
    every = [ground for source in options.sources for ground in geotiff.grounds(source, root, tile)]
    count = options.synthetic * len(options.synthetic_sensors)
    for name in options.synthetic_sensors if count else ():
        for seed in range(options.synthetic):
            pair = synthetic.scene(options.synthetic_size, sensors.load(name), seed=seed, noise=0.0)
            corners = valid_corners(np.ones(pair.size, dtype=bool), tile)
            reference = np.asarray(pair.reference)[0]
            every.append(Ground(reference, pair.pan[0], corners, options.synthetic_weight / count))
    return every
