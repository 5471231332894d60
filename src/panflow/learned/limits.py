"""What the options of networks and transforms may be, and how large a model: held before anything of it is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from panflow.errors import InputError
from panflow.settings import Range

RANGES = {  # by the names of options
    "bands": Range(1, 1000),
    "ratio": Range(1, 64),
    "width": Range(1, 4096),
    "widths": Range(1, 4096),
    "condition": Range(1, 4096),
    "head": Range(1, 4096),
    "queried": Range(1, 2**20),
    "blocks": Range(0, 256),
    "layers": Range(1, 256),
    "iterations": Range(1, 256),
    "stages": Range(1, 64),
    "multipliers": Range(1, 64),
    "dilations": Range(1, 64),
    "dropout": Range(0, 1),
    "bits": Range(1, 32),
    "n": Range(2, 10**8),
    "m": Range(2, 2**16),
    "phase": Range(-64, 64),
    "back_projection": Range(0, 100),
}
LARGEST = 2**29  # weights: 2 GiB
USUAL = 512  # options of numbers up to here make no model that has to be counted first


def require_room(make: Callable[[], Any], what: str, options: dict[str, Any]) -> None:
    """InputError where a network of unusual options would have more weights than any of the field has by far."""
    numbers = [n for v in options.values() for n in (v if isinstance(v, tuple) else (v,)) if isinstance(n, int)]
    if max(numbers, default=0) <= USUAL:
        return
    try:
        with torch.device("meta"):  # shapes without memory
            count = sum(weight.numel() for weight in make().parameters())
    except (NotImplementedError, RuntimeError, AttributeError):  # it computes with its weights while it is made
        return
    if count > LARGEST:
        raise InputError(f"{what} would have {count:.2g} weights with these options: expected at most {LARGEST:.2g}")
