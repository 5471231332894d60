"""Where a run stands: everything that the next step depends on, written whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from panflow.errors import InputError, is_out_of_memory
from panflow.files import output
from panflow.files.output import reason
from panflow.types import Transform

NAME = "checkpoint.pt"


@dataclass
class State:
    """The players, their optimisers, the averaged weights of the network, `others` that have a state (the
    objective's running numbers, the transform's tables), and the steps done. Data order and noise are functions of
    (seed, step), so there is no generator to keep."""

    players: dict[str, nn.Module]
    optimisers: Mapping[str, torch.optim.Optimizer]
    average: dict[str, Tensor]
    others: Mapping[str, nn.Module | Transform] = field(default_factory=dict)
    step: int = 0

    def update_average(self, decay: float) -> None:
        """EMA with warm-up: decay min(d, (1 + n) / (10 + n)) at step n."""
        decay = min(decay, (1 + self.step) / (10 + self.step))
        for name, value in self.players["net"].state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - decay)
            else:
                self.average[name].copy_(value)

    def save(self, folder: Path) -> None:
        """To disk in full before the old checkpoint gives way: kill -9 at any moment leaves one of the two."""
        kinds: dict[str, Mapping[str, Any]] = {
            "players": self.players,
            "optimisers": self.optimisers,
            "others": self.others,
        }
        parts = {kind: {name: _tensors(each) for name, each in group.items()} for kind, group in kinds.items()}
        data = io.BytesIO()  # torch makes other errors of those of a disk
        torch.save({"step": self.step, "average": self.average, **parts}, data)
        output.write(folder / NAME, data.getbuffer())

    def resume(self, folder: Path) -> bool:
        """Takes up what the folder holds; False where it holds nothing. InputError where that is no checkpoint."""
        path = folder / NAME
        if not path.is_file():
            return False
        try:
            self._load(path)
        except Exception as error:  # torch raises whatever it likes for bytes that it did not write
            if is_out_of_memory(error):
                raise
            raise InputError(
                f"{path} cannot be taken up ({reason(error)}): delete it to begin anew, or put back a copy"
            ) from None
        return True

    def _load(self, path: Path) -> None:
        device = next(iter(self.average.values())).device
        parts = torch.load(path, map_location=device, weights_only=True)
        for name, module in self.players.items():
            module.load_state_dict(parts["players"][name])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(parts["optimisers"][name])
        for name, values in parts.get("others", {}).items():
            self.others[name].load_state_dict(values)
        if parts["average"].keys() != self.average.keys():
            raise ValueError("it holds other weights")
        self.average = parts["average"]
        self.step = int(parts["step"])


def _tensors(part: Any) -> dict[str, Any]:
    """A part's state, in which a transform's tables are NumPy's: what is no tensor would not be read again."""
    return {k: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for k, v in part.state_dict().items()}
