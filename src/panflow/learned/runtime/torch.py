"""Plain torch in float32: the reference that the others are held to."""

import torch

from panflow.learned.runtime._backend import InTorch
from panflow.types import Network


def missing() -> str | None:
    return None


class Backend(InTorch):
    def __init__(self, network: Network):
        super().__init__(network, torch.float32)
