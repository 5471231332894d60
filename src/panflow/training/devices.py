"""Where a run computes: on one device, or on one for each process that `accelerate launch` or torchrun started."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from panflow.errors import MissingExtra


class Devices:
    """This process's device, its rank among `count`, and means over all of them.

    Every process draws other batches and starts from the same weights; gradients are averaged after backward.
    The networks are small, so nothing is gained by overlapping the two, and games of several passes just work.
    """

    def __init__(self, device: str):
        self.device, self.rank, self.count = device, 0, 1
        self._accelerator: Any = None
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            try:
                from accelerate import Accelerator
            except ImportError:
                raise MissingExtra(
                    "training in several processes needs accelerate: pip install 'panflow[train]'"
                ) from None
            self._accelerator = Accelerator(cpu=device == "cpu")
            self.device = str(self._accelerator.device)
            self.rank, self.count = self._accelerator.process_index, self._accelerator.num_processes

    def average(self, player: nn.Module) -> None:
        """Every gradient becomes its mean over the processes."""
        if self._accelerator:
            for parameter in player.parameters():
                if parameter.grad is not None:
                    parameter.grad = self._accelerator.reduce(parameter.grad, "mean")

    def same(self, values: Iterable[Tensor]) -> None:
        """Floating-point values, in place, become their means over the processes."""
        for value in values if self._accelerator else ():
            if value.is_floating_point():
                value.copy_(self._accelerator.reduce(value, "mean"))

    def wait(self) -> None:
        """Until every process has come here."""
        if self._accelerator:
            self._accelerator.wait_for_everyone()
