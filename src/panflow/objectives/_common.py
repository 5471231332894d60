"""What objectives share: options, asking a network, means over valid pixels, the running energy of the residual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self, cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from panflow import types
from panflow.errors import InputError
from panflow.generative.samplers import euler
from panflow.settings import typed
from panflow.types import NOTHING, Batch, Network, Pair


@dataclass(frozen=True)
class Settings:
    """The options of an objective; every objective's `Options` is a frozen dataclass that inherits from this one."""

    @classmethod
    def of(cls, **values: Any) -> Self:
        """The options of a recipe's section. Raises UnknownName for one that does not exist, and names the nearest;
        InputError for a value of the wrong kind."""
        return typed(cls, values, f"objective {cls.__module__.rpartition('.')[-1]}")


def bare(network: nn.Module) -> Network:
    """The network itself where something for several devices is wrapped around it."""
    return cast(Network, network.module if isinstance(network, DistributedDataParallel) else network)


def takes_state(network: nn.Module) -> bool:
    """Whether the network is called with a state and a time: network(x, t, **inputs)."""
    return bare(network).denoiser


def ask(network: nn.Module, batch: Batch, z: Tensor, t: Tensor) -> Tensor:
    """The network's answer [B, C, H, W] at state z and times t [B]; networks without a state only see the inputs."""
    named = NOTHING | batch.inputs
    answer = network(z, t, **named) if takes_state(network) else network(**named)
    return answer.to(z.dtype)  # under autocast it may come in half precision


def start(batch: Batch) -> tuple[Tensor, Tensor]:
    """The state of interpolated MS, which is zero, and its time, 1."""
    return torch.zeros_like(batch.ms_up), torch.ones(len(batch.ms_up), device=batch.ms_up.device)


def predict(network: nn.Module, batch: Batch, steps: int = 1) -> Tensor:
    """The residual after `steps` Euler steps from t = 1 to 0 along dz = -s dt; one step is a single question."""
    z, t = start(batch)
    if steps == 1:
        return ask(network, batch, z, t)
    if not takes_state(network):
        raise InputError(f"{type(network).__module__} takes no state and time: it answers in one step, not in {steps}")
    return euler(lambda x, time: -ask(network, batch, x, time), z, torch.linspace(1, 0, steps + 1))


def target(batch: Batch) -> Tensor:
    if batch.target is None:
        raise InputError("the batch has no reference to learn from: expected pairs with one (Wald's protocol)")
    return batch.target


def whole(batch: Batch) -> Pair:
    """The pair, which must show just the pixels that the batch shows."""
    if tuple(batch.pair.size) != tuple(batch.ms_up.shape[-2:]):
        raise InputError(
            f"the batch shows {tuple(batch.ms_up.shape[-2:])} pixels and its pair {tuple(batch.pair.size)}: "
            "masks and pan terms need both cut alike"
        )
    return batch.pair


def valid(batch: Batch) -> Tensor | None:
    """Where the batch may be learned from, [B, 1, H, W]; None where everywhere."""
    return None if batch.pair.pan_valid is None else whole(batch).pan_valid


def needs_residual(network: nn.Module) -> None:
    if bare(network).predicts != "residual":
        raise InputError(
            f"{type(bare(network)).__module__} predicts the image, and the flow from ms_up moves a residual: "
            "take the objective regression, or a network that predicts the residual"
        )


def sample_means(values: Tensor, mask: Tensor | None = None) -> Tensor:
    """Means over bands and the pixels of a mask [B, 1, H, W], of every member: [B]."""
    if mask is None:
        return values.mean((1, 2, 3))
    weight = mask.to(values.dtype)
    return (values * weight).sum((1, 2, 3)) / (values.shape[1] * weight.sum((1, 2, 3))).clamp_min(1)


def mean(values: Tensor, mask: Tensor | None = None) -> Tensor:
    """The mean over members, bands and the pixels of a mask [B, 1, H, W]."""
    if mask is None:
        return values.mean()
    weight = mask.to(values.dtype)
    return (values * weight).sum() / (values.shape[1] * weight.sum()).clamp_min(1)


class Energy(nn.Module):
    """The mean square of the target, sigma**2: of all batches at first, of about the last `memory` later.

    Quadratic losses are divided by it, so that zero output costs 1 on every sensor and in every unit.
    """

    value: Tensor
    count: Tensor

    def __init__(self, memory: int = 1000):
        super().__init__()
        self.memory = memory
        self.register_buffer("value", torch.zeros(()))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def forward(self, x1: Tensor, mask: Tensor | None = None) -> Tensor:
        """The energy after having seen one more batch."""
        self.to(x1.device)
        self.count += 1
        self.value += (mean(x1.float() ** 2, mask) - self.value) / self.count.clamp_max(self.memory)
        return self.value.clamp_min(1e-12)


class Log:
    """The last step's diagnostics, kept as tensors until somebody reads them."""

    def __init__(self) -> None:
        self._kept: dict[str, Tensor | float] = {}

    def start(self, **values: Tensor | float) -> None:
        self._kept = {}
        self.add(**values)

    def add(self, **values: Tensor | float) -> None:
        self._kept |= {name: v.detach() if isinstance(v, Tensor) else v for name, v in values.items()}

    def read(self) -> dict[str, float]:
        """As numbers; those that the step could not measure (no member at t = 1, say) are left out."""
        numbers = {name: float(value) for name, value in self._kept.items()}
        return {name: value for name, value in numbers.items() if value == value}


class Base(types.Objective, nn.Module):
    """What objectives share beside `types.Objective`: options and a log."""

    def __init__(self, options: Any) -> None:
        super().__init__()
        self.options = options
        self._log = Log()

    @property
    def log(self) -> dict[str, float]:
        return self._log.read()


def reconstruction(answer: Tensor, x1: Tensor, mask: Tensor | None, which: Tensor) -> dict[str, Tensor]:
    """How much of the residual is there: `gain` <answer, x1> / <x1, x1> and `energy` |answer|^2 / |x1|^2, over the
    members that `which` [B] selects. Both fall where detail shrinks; energy without gain is invention."""
    answer, x1 = answer.detach().float(), x1.float()
    power, match, size = (
        (sample_means(product, mask) * which).sum() for product in (x1 * x1, answer * x1, answer * answer)
    )
    return {"gain": match / power, "energy": size / power}
