"""Weights by name, held against what a network expects before they are used."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

import torch
from torch import Tensor, nn

from panflow.errors import InputError
from panflow.files.output import reason
from panflow.types import Transform

LARGEST = 1e9  # no weight that was trained comes near; beyond, results are nonsense that may still be finite


def digest(module: nn.Module) -> str:
    """Of a module's weights."""
    result = sha256()
    for name, value in sorted(module.state_dict().items()):
        result.update(name.encode() + value.contiguous().cpu().numpy().tobytes())
    return result.hexdigest()


def require_finite(weights: Mapping[str, Tensor], what: str) -> None:
    """InputError, which names the first, where a weight is nan or inf."""
    for key, value in weights.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise InputError(f"{what}: the weights {key} are not finite (nan or inf), so any result would be nonsense")


def take(module: nn.Module, weights: Mapping[str, Tensor], what: str) -> None:
    """The weights go into the module. InputError where names, shapes or kinds differ, or one is not finite."""
    wanted = module.state_dict()
    missing = sorted(wanted.keys() - weights.keys())
    strange = sorted(weights.keys() - wanted.keys())
    if missing or strange:
        parts = [f"{word} {', '.join(keys[:3])}" for word, keys in (("lacks", missing), ("has", strange)) if keys]
        raise InputError(f"{what}: it {' and '.join(parts)} (another form? another number of blocks?)")
    for key, value in weights.items():
        expected = wanted[key]
        if value.shape != expected.shape:
            raise InputError(f"{what}: {key} is {tuple(value.shape)}, expected {tuple(expected.shape)}")
        if value.layout != torch.strided or value.is_meta:
            raise InputError(f"{what}: {key} is sparse or has no values: expected a plain tensor")
        if value.is_floating_point() != expected.is_floating_point() or value.is_complex():
            kinds = (str(each.dtype).removeprefix("torch.") for each in (value, expected))
            raise InputError(f"{what}: {key} is of {', expected '.join(kinds)}")
    require_finite(weights, what)
    for key, value in weights.items():
        if value.numel() and float(value.abs().max()) > LARGEST:
            raise InputError(
                f"{what}: the weights {key} go up to {float(value.abs().max()):.1e}: expected what training gives, "
                f"{LARGEST:.0e} at most"
            )
    module.load_state_dict(dict(weights))


def take_tables(transform: Transform, tables: Mapping[str, Tensor], what: str) -> None:
    """A transform's tables, which have the sizes that it was fitted with. InputError where they do not fit it."""
    require_finite(tables, what)
    try:
        transform.load_state_dict(dict(tables))
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{what}: the tables of its transform do not fit it ({reason(error)})") from None
