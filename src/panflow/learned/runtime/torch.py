"""Plain torch in float32: the reference that the others are held to."""

import torch
from torch import nn

from panflow.learned.runtime._network import InTorch


def missing() -> str | None:
    return None


class Engine(InTorch):
    def __init__(self, network: nn.Module):
        super().__init__(network, torch.float32)
