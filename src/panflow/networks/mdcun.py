"""MDCUN: an unfolded iteration with a non-local prior and a memory of earlier estimates [mdcun]."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from panflow import types
from panflow.networks._cnn import check_form, check_power_of_two


class Network(types.Network, nn.Module):
    """T unfolded gradient steps from the bilinear MS, each drawn to two learned estimates of the image [mdcun].

    Step i, with N = NonLocal(x), D_i a denoiser that also sees all earlier estimates, and E the conditioning on PAN:

        a_i = E(D_i(a_0 .. a_{i-1}, x)),   b_i = E(D_i(b_0 .. b_{i-1}, N))
        x <- x - delta_i (Up(Down(x) - ms + u_i (Down(N) - ms)) + eta_i (x - a_i) + gamma_i (N - b_i))

    E adds P + A P to each band, where P is a learned mixture of three high-passes of PAN and A the spatial
    attention to (band, pan). The default is the published network, "original": four iterations, and blocks of A
    that are not scaled, as the 0.1 meant for them lands in another argument of the public code; `residual_scale`
    0.1 is what was meant. "unipan" is the same network read as the residual.
    Tiles must start, too, at multiples of 8. Raises `InputError` for a ratio that is no power of two.
    """

    inputs = ("ms", "pan")
    multiple = 8  # PAN pixels, for the coarsest high-pass

    def __init__(
        self,
        bands: int,
        ratio: int = 4,
        *,
        form: str = "original",
        iterations: int = 4,
        width: int = 64,
        residual_scale: float = 1.0,
    ):
        super().__init__()
        check_form("mdcun", form, ("original", "unipan"))
        check_power_of_two("mdcun", ratio)
        self.predicts = "residual" if form == "unipan" else "image"
        # A step looks 4 ratio + 8 pixels far by way of Up(Down(N)), 17 by way of E(D(N)).
        self.halo = iterations * max(4 * ratio + 8, 17) + min(ratio // 2, 2)
        self.ratio = ratio
        self.denoisers = nn.ModuleList(
            nn.Sequential(_conv(bands * (i + 1), width), _conv(width, bands)) for i in range(iterations)
        )
        self.u, self.eta, self.gamma, self.delta = (
            nn.ParameterList(nn.Parameter(torch.tensor(start)) for _ in range(iterations))
            for start in (0.5, 0.5, 0.5, 0.1)
        )
        self.down = nn.Sequential(
            _conv(bands, width), nn.ReLU(), nn.MaxPool2d(ratio), _conv(width, bands), _conv(bands, bands)
        )
        self.up = nn.Sequential(
            _conv(bands, width),
            nn.ReLU(),
            nn.Upsample(scale_factor=ratio),
            _conv(width, bands),
            _conv(bands, bands),
        )
        self.attention = Attention(residual_scale)
        self.non_local = NonLocal(bands)
        self.detail = nn.Conv2d(3, 1, 1)

    def forward(self, ms: Tensor, ms_up: Tensor, pan: Tensor) -> Tensor:
        detail = self.detail(torch.cat([high_pass(pan, factor) for factor in (2, 4, 8)], 1))
        x = F.interpolate(ms, scale_factor=self.ratio, mode="bilinear")
        local: list[Tensor] = []
        distant: list[Tensor] = []
        for denoise, u, eta, gamma, delta in zip(self.denoisers, self.u, self.eta, self.gamma, self.delta, strict=True):
            similar = self.non_local(x)
            local.append(self._condition(denoise(torch.cat([*local, x], 1)), pan, detail))
            distant.append(self._condition(denoise(torch.cat([*distant, similar], 1)), pan, detail))
            data = self.up(self.down(x) - ms + u * (self.down(similar) - ms))
            x = x - delta * (data + eta * (x - local[-1]) + gamma * (similar - distant[-1]))
        return x

    def _condition(self, image: Tensor, pan: Tensor, detail: Tensor) -> Tensor:
        """E: `image` [B, C, H, W] + P + A P, band by band to spare memory (32 features a pixel)."""
        attention = [self.attention(torch.cat([band, pan], 1)) for band in image.split(1, dim=1)]
        return image + detail + torch.cat(attention, 1) * detail

    KEYS = (
        (r"^conv_u\.", "denoisers."),
        (r"^gama\.", "gamma."),
        (r"^conv_(up|down)\.body\.", r"\1."),
        (r"^conv_(up|down)\.tail\.1\.", r"\1.3."),
        (r"^conv_(up|down)\.tail\.2\.", r"\1.4."),
        (r"^hf_pan\.", "detail."),
        (r"^NLBlock\.t\.", "non_local.theta."),
        (r"^NLBlock\.p\.", "non_local.phi."),
        (r"^NLBlock\.", "non_local."),
        (r"^rm1\.block\.\d\.layers\.", None),  # the same tensors a second time
        (r"^rm1\.block\.0\.conv\.", "attention.head.0."),
        (r"^rm1\.block\.0\.act\.", "attention.head.1."),
        (r"^rm1\.block\.1\.", "attention.blocks.0."),
        (r"^rm1\.block\.2\.", "attention.blocks.1."),
        (r"^rm1\.block\.3\.", "attention.blocks.2."),
        (r"^rm1\.spatial\.conv\.", "attention.tail.0."),
        (r"^rm1\.spatial\.act\.", "attention.tail.1."),
    )


class Attention(nn.Module):
    """A in (0, 1) [B, 1, H, W] of a band and PAN [B, 2, H, W]: residual blocks, then maximum and mean of features."""

    def __init__(self, residual_scale: float = 1.0, width: int = 32, blocks: int = 3):
        super().__init__()
        self.head = nn.Sequential(_conv(2, width, bias=False), nn.PReLU(init=0.5))
        self.blocks = nn.ModuleList(PReLUBlock(width, residual_scale) for _ in range(blocks))
        self.tail = nn.Sequential(_conv(2, 1, bias=False), nn.PReLU(init=0.5), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        x = self.head(x)
        for block in self.blocks:
            x = block(x)
        return self.tail(torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], 1))


class PReLUBlock(nn.Module):
    """x + scale act(conv(act(conv(x)))) with one slope for both."""

    def __init__(self, width: int, scale: float):
        super().__init__()
        self.scale = scale
        self.conv1, self.conv2 = _conv(width, width), _conv(width, width)
        self.act = nn.PReLU(init=0.5)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.scale * self.act(self.conv2(self.act(self.conv1(x))))


class NonLocal(nn.Module):
    """x + w(sum_k softmax_k(theta(x) . phi(x)_k) g(x)_k) over the 15x15 neighbours k; all four 1x1, without bias.

    Neighbours beyond the border count with logit 0 and value 0. One shift at a time: 225 logits a pixel are
    kept, where unfolding would keep 225 C numbers twice.
    """

    def __init__(self, bands: int, window: int = 15):
        super().__init__()
        self.window = window
        self.theta, self.phi, self.g, self.w = (nn.Conv2d(bands, bands, 1, bias=False) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        theta = self.theta(x)
        logits = torch.stack([(theta * phi).sum(1) for phi in self._shifts(self.phi(x))], 1)
        weights = logits.softmax(1).split(1, dim=1)
        mean = torch.zeros_like(x)
        for weight, g in zip(weights, self._shifts(self.g(x)), strict=True):
            mean = torch.addcmul(mean, weight, g)
        return self.w(mean) + x

    def _shifts(self, x: Tensor) -> list[Tensor]:
        height, width = x.shape[-2:]
        padded = F.pad(x, 4 * [self.window // 2])
        steps = range(self.window)
        return [padded[..., i : i + height, j : j + width] for i in steps for j in steps]


def _conv(channels: int, out: int, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(channels, out, 3, padding=1, bias=bias)


def high_pass(pan: Tensor, factor: int) -> Tensor:
    """PAN minus itself brought to 1/factor and back, bicubic, no antialiasing."""
    coarse = F.interpolate(pan, scale_factor=1 / factor, mode="bicubic")
    return pan - F.interpolate(coarse, scale_factor=factor, mode="bicubic")
