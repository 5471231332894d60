"""FeINFN: an implicit fusion function that queries features and their Fourier spectra [feinfn]."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from panflow import types
from panflow.networks._blocks import require, without_autocast

Ask = Callable[[Tensor, Tensor], Tensor]
CODE_LENGTH = 4096


class Network(types.Network, nn.Module):
    """FeINFN: every PAN pixel asks its four MS neighbours, in space and in the Fourier domain [feinfn].

    f = Encoder(ms) [B, c, h, w], g = Encoder(pan, ms_up) [B, c, H, W]. A query gives each PAN pixel x

        sum_k softmax_k(l_k) v_k,   (v_k, l_k) = MLP(f(x_k), g(x), offset to x_k),   k = 1..4

    over the MS samples x_k nearest to x shifted by half an MS pixel along both axes (0 beyond the border).
    Three of them: of the features themselves (with a fixed filter of f, and a running code added to the
    offset), of |fft2| and of angle(fft2); the last two make |ifft2|. A decoder of Gabor functions joins them.

    "original" (which adds `ms_up` outside) and "unipan" are the same layers. The encoders' unused mean-shift
    layers are left out. Slips of the released code; the defaults are the published network:
    - `scrambled_phase`: the phase query reads its [pixel, channel] array as if it were [channel, pixel],
      on the way in and out. False transposes it, as surely meant.
    - the fixed filter does not sum to zero, though it is meant as a high pass;
    - the code grows with the running number of the pixel and is stretched from 4096 numbers to H·W.
    """

    inputs = ("ms", "ms_up", "pan")
    multiple = 1
    high_pass: Tensor
    code: Tensor

    def __init__(
        self,
        bands: int,
        ratio: int = 4,
        *,
        form: str = "original",
        width: int = 128,
        blocks: int = 4,
        queried: int = 32,
        scrambled_phase: bool = True,
    ):
        super().__init__()
        require("form", form, ("original", "unipan"), "both are the same layers")
        self.ratio, self.scrambled_phase = ratio, scrambled_phase
        self.predicts = "residual"
        self.halo = None  # Fourier transforms of the whole image
        self.spatial_encoder = Encoder(bands + 1, width, blocks)
        self.spectral_encoder = Encoder(bands, width, blocks)
        sizes = (256, 128, queried + 1)
        self.feature_query = mlp(3 * width + 2, *sizes)
        self.amplitude_query = mlp(2 * width + 2, *sizes)
        self.phase_query = convolutional_mlp(2 * width + 2, *sizes)
        self.decoder = Decoder(queried, bands)
        self.register_buffer("high_pass", torch.tensor([[0.0, -1, 0], [-1, 1, -1], [0, -1, 0]]))
        number = torch.arange(CODE_LENGTH).float()
        self.register_buffer("code", torch.stack([number.sin(), number.cos()], 1))

    def forward(self, ms: Tensor, ms_up: Tensor, pan: Tensor) -> Tensor:
        low = self.spectral_encoder(ms)
        high = self.spatial_encoder(torch.cat([pan, ms_up], 1))
        return self.decoder(self.features(low, high), self.spectrum(low, high))

    def features(self, low: Tensor, high: Tensor) -> Tensor:
        """Query of the features themselves, [B, queried, H, W]."""
        height, width = high.shape[-2:]
        kernel = self.high_pass.expand(low.shape[1], 1, 3, 3).to(low)
        detail = F.conv2d(low, kernel, padding=1, groups=low.shape[1])
        code = F.interpolate(self.code.T[None], size=height * width, mode="linear")[0].T
        code = code.reshape(height, width, 2)

        def ask(sample: Tensor, offset: Tensor) -> Tensor:
            near, near_detail = sample.chunk(2, -1)
            return self.feature_query(torch.cat([near, guide, near_detail, offset + code], -1))

        guide = high.movedim(1, -1)
        return ensemble(torch.cat([low, detail], 1), (height, width), self.ratio, ask)

    def spectrum(self, low: Tensor, high: Tensor) -> Tensor:
        """Query of the spectra, |ifft2| of it, [B, queried, H, W]; float32 throughout, sums overflow half."""
        height, width = high.shape[-2:]
        with without_autocast(low):
            low, high = (torch.fft.fft2(x.to(torch.promote_types(x.dtype, torch.float32))) for x in (low, high))

            def ask_amplitude(sample: Tensor, offset: Tensor) -> Tensor:
                return self.amplitude_query(torch.cat([sample, high.abs().movedim(1, -1), offset], -1))

            def ask_phase(sample: Tensor, offset: Tensor) -> Tensor:
                x = torch.cat([sample, high.angle().movedim(1, -1), offset], -1)
                if self.scrambled_phase:
                    y = self.phase_query(x.reshape(len(x), -1, height, width))
                    return y.reshape(len(x), height, width, -1)
                return self.phase_query(x.movedim(-1, 1)).movedim(1, -1)

            amplitude = ensemble(low.abs(), (height, width), self.ratio, ask_amplitude)
            phase = ensemble(low.angle(), (height, width), self.ratio, ask_phase)
            return torch.fft.ifft2(torch.polar(amplitude, phase)).abs()

    KEYS = (
        (r"encoder\.(sub|add)_mean\.", None),
        (r"\.head\.0\.", ".head."),
        (r"^imnet\.layers\.", "feature_query."),
        (r"^freq_query\.imnet1\.layers\.", "amplitude_query."),
        (r"^freq_query\.imnet2\.layers\.", "phase_query."),
        (r"^hp\.kernel$", "high_pass"),
        (r"^pe\.pe$", "code"),
        (r"^decoder\.K\.(\d)\.0\.", r"decoder.gates.\1."),
        (r"^decoder\.Q\.(\d)\.0\.", r"decoder.gabors.\1.conv."),
        (r"^decoder\.Q\.(\d)\.1\.(omega|scale)_0$", r"decoder.gabors.\1.\2"),
        (r"^decoder\.last_layer\.", "decoder.last."),
    )


def ensemble(low: Tensor, size: tuple[int, int], ratio: int, ask: Ask) -> Tensor:
    """Blend of ask(sample [B, H, W, c], offset [B, H, W, 2]) -> [B, H, W, v + 1] over the four neighbours.

    Offsets are in half MS pixels, (row, column); beyond the border sample and position are 0, as released.
    """
    h, w = low.shape[-2:]
    grid = centres(h, w, low).movedim(-1, 0).expand(len(low), 2, h, w)
    padded = F.pad(torch.cat([grid, low], 1), (1, 1, 1, 1)).movedim(1, -1)
    scale = torch.tensor([h, w]).to(low)
    answers = []
    for row in neighbours(size[0], ratio, low):
        for column in neighbours(size[1], ratio, low):
            sample = padded[:, row[:, None], column]
            offset = (centres(*size, low) - sample[..., :2]) * scale
            answers.append(ask(sample[..., 2:], offset))
    values = torch.stack(answers, -1)
    blended = (values[..., :-1, :] * values[..., -1:, :].softmax(-1)).sum(-1)
    return blended.movedim(-1, 1)


def centres(height: int, width: int, like: Tensor) -> Tensor:
    """Pixel centres (row, column) of an image that spans [-1, 1] on both axes, [height, width, 2]."""
    axes = ((2 * torch.arange(n).to(like) + 1) / n - 1 for n in (height, width))
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)


def neighbours(size: int, ratio: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """For each PAN pixel of an axis the MS pixels half a pixel before and after it, counted from 1."""
    position = (torch.arange(size, device=like.device) + 0.5) / ratio
    return position.sub(1).round().long() + 1, position.round().long() + 1


def mlp(inputs: int, *sizes: int) -> nn.Sequential:
    """Linear layers with ReLU between, over the last axis."""
    layers: list[nn.Module] = []
    for size in sizes:
        layers += [nn.Linear(inputs, size), nn.ReLU()]
        inputs = size
    return nn.Sequential(*layers[:-1])


def convolutional_mlp(inputs: int, *sizes: int) -> nn.Sequential:
    """1x1, then depthwise 3x3 per layer, no biases, ReLU between."""
    layers: list[nn.Module] = []
    for size in sizes:
        depthwise = nn.Conv2d(size, size, 3, padding=1, groups=size, bias=False)
        layers += [nn.Sequential(nn.Conv2d(inputs, size, 1, bias=False), depthwise), nn.ReLU()]
        inputs = size
    return nn.Sequential(*layers[:-1])


class Encoder(nn.Module):
    """h + 3x3(residual blocks(h)), h = 3x3(x): EDSR without upsampling [edsr]."""

    def __init__(self, inputs: int, width: int, blocks: int):
        super().__init__()
        self.head = nn.Conv2d(inputs, width, 3, padding=1)
        last = nn.Conv2d(width, width, 3, padding=1)
        self.body = nn.Sequential(*(Residual(width) for _ in range(blocks)), last)

    def forward(self, x: Tensor) -> Tensor:
        x = self.head(x)
        return x + self.body(x)


class Residual(nn.Module):
    """x + 3x3(ReLU(3x3(x)))."""

    def __init__(self, width: int):
        super().__init__()
        first, second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.body = nn.Sequential(first, nn.ReLU(), second)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Decoder(nn.Module):
    """q <- ReLU(1x1(q, a)) * Gabor(q) three times, from q = b (without q in the first ReLU), then 1x1.

    a: feature query, b: spectrum query, both [B, queried, H, W].
    """

    def __init__(self, queried: int, bands: int, width: int = 128, steps: int = 3):
        super().__init__()
        inputs = [queried] + [queried + width] * (steps - 1)
        self.gates = nn.ModuleList(nn.Conv2d(n, width, 1) for n in inputs)
        self.gabors = nn.ModuleList(Gabor(n, width) for n in [queried] + [width] * (steps - 1))
        self.last = nn.Conv2d(width, bands, 1)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        gated, q = a, b
        for gate, gabor in zip(self.gates, self.gabors, strict=True):
            q = F.relu(gate(gated)) * gabor(q)
            gated = torch.cat([q, a], 1)
        return self.last(q)


class Gabor(nn.Module):
    """Re exp(i omega z - (scale z)^2), z = 1x1(x); omega and scale are learned."""

    def __init__(self, inputs: int, outputs: int, omega: float = 30.0, scale: float = 10.0):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 1)
        self.omega, self.scale = (nn.Parameter(torch.full((1,), x)) for x in (omega, scale))

    def forward(self, x: Tensor) -> Tensor:
        z = self.conv(x)
        return torch.cos(self.omega * z) * torch.exp(-((self.scale * z) ** 2))
