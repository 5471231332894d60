"""Where a run stands: everything that the next step depends on, written whole or not at all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

NAME = "checkpoint.pt"


@dataclass
class State:
    """The players, their optimisers, the averaged weights of the network, and the steps done. Data order and noise
    are functions of (seed, step), so there is no generator to keep."""

    players: dict[str, nn.Module]
    optimisers: dict[str, torch.optim.Optimizer]
    average: dict[str, Tensor]
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
        part = folder / (NAME + ".part")
        parts = {"step": self.step, "average": self.average}
        parts["players"] = {name: module.state_dict() for name, module in self.players.items()}
        parts["optimisers"] = {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()}
        with part.open("wb") as file:
            torch.save(parts, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(folder / NAME)

    def resume(self, folder: Path) -> bool:
        """Takes up what the folder holds; False where it holds nothing."""
        if not (folder / NAME).is_file():
            return False
        device = next(iter(self.average.values())).device
        parts = torch.load(folder / NAME, map_location=device, weights_only=True)
        for name, module in self.players.items():
            module.load_state_dict(parts["players"][name])
            self.optimisers[name].load_state_dict(parts["optimisers"][name])
        self.average = parts["average"]
        self.step = parts["step"]
        return True
