"""What stands in for nodata while an image is filtered, so that nothing bleeds over an edge."""

import numpy as np

from panflow.arrays import is_torch, like, to_numpy
from panflow.types import Array


def fill(image: Array, valid: Array | None) -> Array:
    """The image [B, C, H, W] with every invalid pixel replaced by the nearest valid one of its band.

    valid [B, 1, H, W] boolean or None; where nothing is valid the image becomes zero.
    """
    if valid is None:
        return image
    mask = to_numpy(valid)
    if mask.all():
        return image
    from scipy.ndimage import distance_transform_edt  # takes long to import, and few scenes have holes

    filled = to_numpy(image).copy()
    for b in range(filled.shape[0]):
        if not mask[b, 0].any():
            filled[b] = 0
            continue
        rows, columns = distance_transform_edt(~mask[b, 0], return_distances=False, return_indices=True)
        filled[b] = filled[b][:, rows, columns]
    return like(filled, image) if is_torch(image) else np.asarray(filled, dtype=image.dtype)
