"""What SFIIN, HFIN, MSDDN and UAPN truly share: Fourier-domain fusion and invertible coupling blocks."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from panflow.errors import InputError

EPS = 1e-8  # keeps |z| and its angle differentiable at z = 0; the published code adds it at the same places


def require(name: str, value: object, allowed: Collection[object], advice: str) -> None:
    """Raise an InputError that says what was expected, what came and what to do."""
    if value not in allowed:
        raise InputError(f"{name} must be {' or '.join(map(repr, allowed))}, not {value!r}: {advice}")


def without_autocast(x: Tensor) -> AbstractContextManager:
    """Around what must stay in full precision; the meta device, on which costs are counted, has no autocast."""
    available = torch.amp.is_autocast_available(x.device.type)
    return torch.autocast(x.device.type, enabled=False) if available else nullcontext()


def fuse_spectra(a: Tensor, b: Tensor, amplitude: nn.Module, phase: nn.Module) -> Tensor:
    """|F⁻¹(A e^{iP})| with A = amplitude(|Fa|, |Fb|), P = phase(∠Fa, ∠Fb); a, b [B, c, H, W] -> [B, c, H, W].

    F is the unnormalised real transform, angles are raw, in (-π, π] [sfiin]. It stays in float32 under
    autocast: the sum over 256² pixels overflows in half precision, and CUDA has half-precision
    transforms of power-of-two sizes only.
    """
    size = a.shape[-2:]
    with without_autocast(a):
        a, b = (torch.fft.rfft2(x.to(torch.promote_types(x.dtype, torch.float32)) + EPS) for x in (a, b))
        length = amplitude(torch.cat([a.abs(), b.abs()], 1))
        angle = phase(torch.cat([a.angle(), b.angle()], 1))
        z = torch.complex(length * angle.cos() + EPS, length * angle.sin() + EPS) + EPS
        return torch.fft.irfft2(z, s=size).abs()


class FourierFuse(nn.Module):
    """1×1 convolutions around `fuse_spectra`, whose two networks are 1×1 2c→c, LReLU 0.1, 1×1 c→c [sfiin].

    Global: every output pixel depends on the whole image and on its size.
    """

    def __init__(self, width: int):
        super().__init__()
        self.pre1, self.pre2, self.post = (nn.Conv2d(width, width, 1) for _ in range(3))
        self.amp_fuse, self.pha_fuse = (
            nn.Sequential(nn.Conv2d(2 * width, width, 1), nn.LeakyReLU(0.1), nn.Conv2d(width, width, 1))
            for _ in range(2)
        )

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.post(fuse_spectra(self.pre1(a), self.pre2(b), self.amp_fuse, self.pha_fuse))


class InvertibleConv(nn.Module):
    """Invertible 1×1 convolution W = P L (U + diag(sign · e^{log_s})), P and sign fixed [glow].

    Starts at a random rotation.
    """

    p: Tensor
    sign_s: Tensor

    def __init__(self, channels: int):
        super().__init__()
        rotation, _ = torch.linalg.qr(torch.randn(channels, channels))
        p, lower, upper = torch.linalg.lu(rotation)
        self.register_buffer("p", p)
        self.register_buffer("sign_s", upper.diagonal().sign())
        self.lower = nn.Parameter(lower.tril(-1))
        self.upper = nn.Parameter(upper.triu(1))
        self.log_s = nn.Parameter(upper.diagonal().abs().log())

    def forward(self, x: Tensor) -> Tensor:
        lower = self.lower.tril(-1) + torch.eye(len(self.p), device=x.device, dtype=self.p.dtype)
        upper = self.upper.triu(1) + torch.diag(self.sign_s * self.log_s.exp())
        return nn.functional.conv2d(x, (self.p @ lower @ upper)[:, :, None, None])


class InvBlock(nn.Module):
    """Invertible 1×1, then affine coupling of the first `split` channels x₁ with the others x₂ [sfiin].

    y₁ = x₁ + F(x₂);  y₂ = x₂ · exp(0.8 (2 sigmoid(H(y₁)) - 1)) + G(y₁).
    `subnet(inputs, outputs)` makes F, G and H; `mix=False` leaves the 1×1 out.
    """

    def __init__(self, channels: int, split: int, subnet: Callable[[int, int], nn.Module], *, mix: bool = True):
        super().__init__()
        self.split = split
        self.invconv = InvertibleConv(channels) if mix else nn.Identity()
        self.F = subnet(channels - split, split)
        self.G = subnet(split, channels - split)
        self.H = subnet(split, channels - split)

    def forward(self, x: Tensor) -> Tensor:
        x = self.invconv(x)
        y1 = x[:, : self.split] + self.F(x[:, self.split :])
        scale = 0.8 * (2 * self.H(y1).sigmoid() - 1)
        return torch.cat([y1, x[:, self.split :] * scale.exp() + self.G(y1)], 1)


class ResidualConv(nn.Module):
    """1×1(x) + LReLU(3×3(LReLU(3×3(x)))), slope 0.1."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.identity = nn.Conv2d(inputs, outputs, 1)
        self.conv_1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv_2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.act = nn.LeakyReLU(0.1)

    def forward(self, x: Tensor) -> Tensor:
        return self.identity(x) + self.act(self.conv_2(self.act(self.conv_1(x))))


class Dense(nn.Module):
    """Densely connected sub-network of a coupling: u₁ = R(x), u₂ = R(u₁), 3×3 of (x, u₁, u₂), each LReLU 0.2.

    R is `ResidualConv` to 8 channels. Starts at a tenth of Xavier's normal values, biases 0 [sfiin].
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv1 = ResidualConv(inputs, 8)
        self.conv2 = ResidualConv(8, 8)
        self.conv3 = nn.Conv2d(inputs + 16, outputs, 3, padding=1)
        self.act = nn.LeakyReLU(0.2)
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                nn.init.xavier_normal_(module.weight, gain=0.1)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        u1 = self.act(self.conv1(x))
        u2 = self.act(self.conv2(u1))
        return self.act(self.conv3(torch.cat([x, u1, u2], 1)))


class HalfInstanceNorm(nn.InstanceNorm2d):
    """Instance norm (affine) of the first half of the channels; the other half passes [hinet]."""

    def __init__(self, channels: int):
        super().__init__(channels // 2, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        first, second = x.chunk(2, 1)
        return torch.cat([super().forward(first), second], 1)


class HIN(nn.Module):
    """Half-instance-normalised residual block: skip(x) + LReLU(3×3(LReLU(norm(3×3(x))))) [hinet].

    `project`: the skip is a 1×1 convolution, else the identity.
    `norm_last`: the norm follows the first LReLU instead of preceding it (MSDDN).
    """

    def __init__(self, inputs: int, outputs: int, *, slope: float = 0.2, project: bool = True, norm_last: bool = False):
        super().__init__()
        self.identity = nn.Conv2d(inputs, outputs, 1) if project else nn.Identity()
        self.conv_1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm = HalfInstanceNorm(outputs)
        self.conv_2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.act = nn.LeakyReLU(slope)
        self.norm_last = norm_last

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv_1(x)
        y = self.norm(self.act(y)) if self.norm_last else self.act(self.norm(y))
        return self.identity(x) + self.act(self.conv_2(y))


class ContrastGate(nn.Sequential):
    """Channel weights in (0, 1): sigmoid(1×1(LReLU 0.1(1×1(std + mean over the image)))), [B, c, 1, 1]."""

    def __init__(self, channels: int, hidden: int):
        super().__init__(
            nn.Conv2d(channels, hidden, 1), nn.LeakyReLU(0.1), nn.Conv2d(hidden, channels, 1), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        var, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
        # The root's gradient is infinite for a constant map; the published code lacks the 1e-12.
        return super().forward((var + 1e-12).sqrt() + mean)


class Refine(nn.Module):
    """3×3, channel attention, 3×3 c→C.

    The attention is the released one [sfiin]: y = mean over the image of [3×3, ReLU, 3×3](x), x + gate(y)·y;
    as y is already one number a channel, it adds a constant per channel (the intended one scales a map).
    """

    def __init__(self, width: int, bands: int):
        super().__init__()
        self.conv_in = nn.Conv2d(width, width, 3, padding=1)
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1)
        )
        self.gate = nn.Sequential(
            nn.Conv2d(width, width // 4, 1), nn.ReLU(), nn.Conv2d(width // 4, width, 1), nn.Sigmoid()
        )
        self.conv_last = nn.Conv2d(width, bands, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_in(x)
        y = self.body(x).mean((2, 3), keepdim=True)
        return self.conv_last(x + self.gate(y) * y)


# Names of the shared blocks in the public checkpoints of the family.
KEYS = (
    (r"\.process\.0\.conv_du\.", ".gate."),
    (r"\.process\.0\.process\.", ".body."),
    (r"\.invconv\.l$", ".invconv.lower"),
    (r"\.invconv\.u$", ".invconv.upper"),
)
