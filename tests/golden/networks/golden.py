"""Readers of the recorded network runs in `golden/networks` (see its README): arrays as tensors, channels first."""

import json
import re
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import nn


def inputs(shared: Path, name: str) -> dict[str, torch.Tensor]:
    """`ms`, `ms_up`, `pan`, `gt`, ... of an input set such as "wv2_small8", as [1, C, H, W]."""
    arrays = np.load(shared / "golden/networks/inputs" / f"{name}.npz")
    return {"ms_up" if key == "lms" else key: image(arrays[key]) for key in arrays.files}


def image(array: np.ndarray) -> torch.Tensor:
    """[H, W, C] or [H, W] to [1, C, H, W]."""
    return torch.from_numpy(np.atleast_3d(array).transpose(2, 0, 1).copy())[None]


def recorded(shared: Path, path: str) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """State dict and the other arrays of a `random_init/*.npz` or `seeded/*.npz` file."""
    arrays = np.load(shared / "golden/networks" / path)
    rest = {key: torch.from_numpy(arrays[key]) for key in arrays.files if not key.startswith("sd/") and key != "recipe"}
    state = {key[3:]: torch.from_numpy(arrays[key]) for key in arrays.files if key.startswith("sd/")}
    if "recipe" in arrays.files:
        state |= {key: seeded(key, *spec) for key, spec in _specs(json.loads(str(arrays["recipe"]))).items()}
    return state, rest


def _specs(recipe: dict) -> dict:
    return {k: (v["shape"], v["mean"], v["std"]) if isinstance(v, dict) else tuple(v) for k, v in recipe.items()}


def seeded(key: str, shape: list[int], mean: float, std: float) -> torch.Tensor:
    values = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(shape) * std + mean
    values = values.astype(np.float32)
    return torch.from_numpy(np.abs(values) + np.float32(0.05) if key.endswith("running_var") else values)


def load(network: nn.Module, state: dict[str, torch.Tensor], rules=()) -> nn.Module:
    """Load `state` strictly after renaming its keys by (regex, replacement or None to drop); in eval mode."""
    renamed = {}
    for key, value in state.items():
        for pattern, replacement in rules:
            if replacement is None:
                if re.search(pattern, key):
                    key = ""
                    break
            else:
                key = re.sub(pattern, replacement, key)
        if key:
            renamed[key] = value
    network.load_state_dict(renamed, strict=True)
    return network.eval()


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
