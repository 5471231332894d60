"""What the plain convolutional networks share: one block, one initialisation, the refusal of a wrong argument."""

import math
from collections.abc import Iterable

from torch import Tensor, nn

from panflow.errors import InputError


class ResidualBlock(nn.Module):
    """x + conv(ReLU(conv(x))), both 3x3 with bias, no activation after the sum."""

    def __init__(self, width: int):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.act = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(self.act(self.conv1(x)))


def initialise(network: nn.Module) -> None:
    """Weights of all convolutions ~ N(0, 2.6 / fan_in) cut at two deviations (variance 2 / fan_in), biases 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            std = math.sqrt(2.6 / module.weight[0].numel())
            nn.init.trunc_normal_(module.weight, std=std, a=-2 * std, b=2 * std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def check_form(network: str, form: str, forms: Iterable[str]) -> str:
    """`form` itself where the network has it."""
    if form not in forms:
        raise InputError(f"{network}: expected form to be one of {', '.join(forms)}, got {form!r}: choose one of these")
    return form


def check_power_of_two(network: str, ratio: int) -> int:
    """The exponent of `ratio`, for networks that bring MS to PAN size by factors of two."""
    exponent = ratio.bit_length() - 1
    if ratio < 2 or ratio != 2**exponent:
        raise InputError(f"{network}: expected ratio 2, 4, 8 ..., got {ratio}: resample MS to such a ratio first")
    return exponent
