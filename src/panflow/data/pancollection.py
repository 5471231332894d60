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
        names = list(file)
        images = {name: file[name] for name in ("pan", "ms", "gt") if name in names}
    except (OSError, KeyError, RuntimeError, ValueError) as error:  # of a damaged file h5py raises any of these
        raise InputError(f"{path} is no HDF5 file, or damaged: {error}") from None
    if not {"pan", "ms"} <= set(images):
        raise InputError(f"{path} holds {', '.join(names) or 'nothing'}: expected pan, ms and, for learning, gt")
    pan, ms, reference = images["pan"], images["ms"], images.get("gt")
    ratio = _ratio(path, pan, ms, reference)
    sensor = sensor_of(collection, ms.shape[1])
    return Tiles(pan, ms, reference, sensor, (ratio, ratio), (ratio / 2, ratio / 2), collection.bands)


def _ratio(path: Path, pan: h5py.Dataset, ms: h5py.Dataset, reference: h5py.Dataset | None) -> int:
    """PAN pixels per MS pixel. InputError where the shapes are not those of one set of pairs."""
    given = {"pan": pan, "ms": ms} | ({} if reference is None else {"gt": reference})
    shapes = {name: tuple(getattr(images, "shape", ()) or ()) for name, images in given.items()}
    fit = all(len(shape) == 4 for shape in shapes.values()) and 0 not in shapes["ms"]
    ratio = shapes["pan"][-1] // shapes["ms"][-1] if fit else 0
    n, bands, height, width = shapes["ms"] if fit else (0, 0, 0, 0)
    fine = (height * ratio, width * ratio)
    if not ratio or shapes["pan"] != (n, 1, *fine) or shapes.get("gt", (n, bands, *fine)) != (n, bands, *fine):
        there = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
        raise InputError(f"{path} holds {there}: expected pan [N, 1, rH, rW], ms [N, C, H, W] and gt [N, C, rH, rW]")
    return ratio
