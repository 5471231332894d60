"""Public checkpoints as models: weights read without running code, their names translated to ours."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from panflow import registry
from panflow.errors import InputError, MissingInput, is_out_of_memory
from panflow.files.output import reason
from panflow.learned.file import build
from panflow.learned.model import Model
from panflow.learned.weights import take
from panflow.types import Sensor

WRAPPERS = ("net", "state_dict", "model", "params", "model_state_dict", "generator")  # what checkpoints nest weights in
PREFIX = r"^(module|_orig_mod)\."  # left by training in parallel and by compilation


def import_checkpoint(
    path: str | Path,
    network: str,
    bands: int,
    *,
    sensor: Sensor | None = None,
    bits: int | None = None,
    phase: float | None = None,
    licence: str = "",
    **options: Any,
) -> Model:
    """The model of a public checkpoint (.pth): a network's weights, counts scaled by the bit depth.

    options: of the network, such as `form`. bits: of the counts that became 1 in training (default: the sensor's).
    phase: where the first MS pixel was centred in training, in PAN pixels, for networks that take MS itself (default:
    the toolbox's r / 2); the others get MS interpolated from where it really lies. The file's licence stays with the
    weights: say it.

    Raises MissingInput, InputError (a file that could run code, or weights of something else) or UnknownName.
    """
    if bits is None and sensor is None:
        raise InputError("which counts are 1 in these weights? name the sensor, or give the bits (2047 is 11 bits)")
    ratio = options.get("ratio", 4)
    sections: dict[str, Any] = {
        "network": {"name": network, "bands": bands, **options},
        "transform": {"name": "scale", "bits": bits or (sensor.bits if sensor else None)},
        "objective": {"name": "regression"},
    }
    if "ms" in registry.get("networks", network).Network.inputs:
        sections["phase"] = ratio / 2 if phase is None else phase
    info = {"title": f"{network}, imported from {Path(path).name}", "licence": licence or "that of the checkpoint"}
    model = build(sections, info, sensor)
    weights = renamed(read(Path(path)), model.network.KEYS)
    take(model.network, weights, f"{path} does not fit network {network} with {bands} bands")
    return model


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name, out of what wraps them. Nothing in the file is run."""
    if not path.is_file():
        raise MissingInput(f"no checkpoint {path}")
    _require_plain(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        name = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f"the Python object {name[1]}" if name else "Python objects"
        raise InputError(
            f"{path} is refused: it holds {what} beside tensors, and to load these is to run code of the file. Ask "
            "its authors for the plain state dict, or save that where you trust the file"
        ) from None
    except Exception as error:  # torch raises whatever it likes for bytes that it did not write
        if is_out_of_memory(error):
            raise
        raise InputError(f"{path} is no checkpoint of torch: {reason(error)}") from None
    depth = 0
    while isinstance(content, dict) and not any(isinstance(value, Tensor) for value in content.values()):
        depth += 1
        inner = next((content[key] for key in WRAPPERS if isinstance(content.get(key), dict)), None)
        if inner is None or depth > len(WRAPPERS):  # of one that holds itself there is no end
            raise InputError(f"{path} holds no weights: expected tensors by name, or these in {', '.join(WRAPPERS)}")
        content = inner
    if not isinstance(content, dict):
        raise InputError(f"{path} holds a {type(content).__name__}: expected tensors by name")
    return {
        re.sub(PREFIX, "", key): value
        for key, value in content.items()
        if isinstance(key, str) and isinstance(value, Tensor)
    }


def _require_plain(path: Path) -> None:
    """InputError where a checkpoint would become larger in memory than it is: torch compresses nothing."""
    try:
        if not zipfile.is_zipfile(path):
            return
        with zipfile.ZipFile(path) as file:
            content = sum(entry.file_size for entry in file.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise InputError(f"{path} is no checkpoint of torch: {error}") from None
    if content > path.stat().st_size:
        raise InputError(f"{path} unpacks to {content:,} bytes of {path.stat().st_size:,}: torch compresses none")


def renamed(weights: dict[str, Tensor], rules: Iterable[tuple[str, str | None]]) -> dict[str, Tensor]:
    """Weights by our names: rules (regular expression, replacement or None to drop) in turn, as networks give them."""
    rules = tuple(rules)
    result = {}
    for key, value in weights.items():
        name: str | None = key
        for pattern, replacement in rules:
            if name is not None and re.search(pattern, name):
                name = None if replacement is None else re.sub(pattern, replacement, name)
        if name is not None:
            result[name] = value
    return result


__all__ = ["import_checkpoint"]
