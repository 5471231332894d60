"""PanCollection's HDF5 files: pan, ms and gt [N, C, H, W] in counts, reduced by the toolbox's protocol."""

from pathlib import Path

import h5py

from panflow.data._tiles import Collection, Tiles, sensor_of
from panflow.errors import InputError, MissingInput


def load(collection: Collection, root: Path) -> Tiles:
    """The tiles of a .h5 file, read when asked for; files of full resolution have no `gt`.

    `lms` in the files is MS interpolated with 23 taps, which is our `ms_up` at the toolbox's phase, r / 2.
    Raises MissingInput where there is no file, InputError where it is something else.
    """
    path = root / collection.path
    if not path.is_file():
        raise MissingInput(f"no {path}: give --data, the folder that holds the collection's .h5 files (data.root)")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"{path} is no HDF5 file: {error}") from None
    if not {"pan", "ms"} <= set(file):
        raise InputError(f"{path} holds {', '.join(file) or 'nothing'}: expected pan, ms and, for learning, gt")
    pan, ms = file["pan"], file["ms"]
    ratio = pan.shape[-1] / ms.shape[-1]
    sensor = sensor_of(collection, ms.shape[1])
    return Tiles(pan, ms, file.get("gt"), sensor, (ratio, ratio), (ratio / 2, ratio / 2), collection.bands)
