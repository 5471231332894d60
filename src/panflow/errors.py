"""Exceptions: each message says what was expected, what came and what to do.

Every class also inherits the built-in that a user would catch, and carries the exit code of the command line.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class PanflowError(Exception):
    """Anything that panflow refuses or cannot do."""

    exit_code = 1


class InputError(PanflowError, ValueError):
    """The data or an argument cannot be used as given."""

    exit_code = 3


class MissingInput(InputError, FileNotFoundError):
    """A file or folder is not there or cannot be read."""


class Unreachable(InputError, OSError):
    """A remote file cannot be read now; another attempt may go better."""


class GeometryError(InputError):
    """PAN and MS do not fit each other on the ground."""


class UnknownName(PanflowError, LookupError):
    """No method, sensor, network ... of that name."""

    exit_code = 2


class OutputError(PanflowError, OSError):
    """The result cannot be written."""

    exit_code = 4


class OutputExists(OutputError, FileExistsError):
    """The target is there already and was not to be replaced."""


class MissingExtra(PanflowError, ImportError):
    """An optional part of panflow is not installed."""


EXTRAS = {"torch": "torch", "safetensors": "torch", "accelerate": "train", "h5py": "train", "tensorboard": "train"}
EXTRAS |= {"matplotlib": "report", "numba": "fast", "onnx": "onnx", "openvino": "openvino", "distributed": "dask"}
EXTRAS |= {"rioxarray": "xarray", "xarray": "xarray", "morecantile": "tiles", "rio_tiler": "tiles"}  # modules, and the
# extras that install them


def missing_extra(error: BaseException, what: str = "this") -> MissingExtra | None:
    """What to say where something could not be imported since an extra is not installed; None: it is another error."""
    module = (getattr(error, "name", None) or "").partition(".")[0]
    if not isinstance(error, ModuleNotFoundError) or module not in EXTRAS:
        return None
    return MissingExtra(f'{what} needs {module}, which is not installed: pip install "panflow[{EXTRAS[module]}]"')


@contextmanager
def needing(what: str) -> Iterator[None]:
    """Around imports of what is in an extra. Raises MissingExtra, which says how to install it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise missing_extra(error, what) or error from None


class OutOfMemory(PanflowError, MemoryError):
    """The work needs more memory than there is."""

    exit_code = 7


class Untrusted(PanflowError):
    """The result would be bad, and only a good one was asked for (`strict`)."""

    exit_code = 6


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python, NumPy, torch, CUDA, ONNX Runtime or GDAL says that there is no memory left."""
    if isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__:
        return True
    words = ("not enough memory", "out of memory", "allocate memory", "alloc_cpu", "bad_alloc", "alloc_failed")
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in words)
