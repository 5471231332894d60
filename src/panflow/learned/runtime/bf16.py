"""Torch in bfloat16 (8 bits of mantissa), which processors that have it compute twice as fast as float32."""

from functools import cache
from pathlib import Path

import torch

from panflow.learned.runtime._backend import InTorch
from panflow.types import Network

FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # of x86 and of ARM, as Linux names them


@cache
def missing() -> str | None:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    flags = {word for line in text.splitlines() if line.startswith(("flags", "Features")) for word in line.split()}
    return None if FLAGS & flags else "this processor does not compute in bfloat16: take --runtime torch or openvino"


class Backend(InTorch):
    def __init__(self, network: Network):
        super().__init__(network, torch.bfloat16)
