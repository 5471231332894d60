"""MMNet: memory-augmented model-driven unfolding with local and non-local priors [mmnet]."""

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, scaled_dot_product_attention

from panflow import types
from panflow.networks._blocks import require

State = tuple[Tensor, Tensor]  # hidden and cell of a ConvLSTM


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)


def conv_p(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution without bias, then PReLU of one slope."""
    return nn.Sequential(OrderedDict(conv=conv(inputs, outputs, kernel, stride), act=nn.PReLU(init=0.5)))


class ResP(nn.Module):
    """x + PReLU(conv(PReLU(conv(x)))), the same slope twice."""

    def __init__(self, width: int, kernel: int = 3):
        super().__init__()
        self.conv1, self.conv2 = conv(width, width, kernel), conv(width, width, kernel)
        self.act = nn.PReLU(init=0.5)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.act(self.conv2(self.act(self.conv1(x))))


def refiner(inputs: int, outputs: int, kernel: int = 3, blocks: int = 2) -> nn.Sequential:
    return nn.Sequential(conv_p(inputs, outputs, kernel), *(ResP(outputs, kernel) for _ in range(blocks)))


class Denoiser(nn.Module):
    """U, V: x = PReLU(5×5(input, PAN features, pan)); u = ResP(ResP(x)); hands on the memory (u, x, input)."""

    def __init__(self, bands: int):
        super().__init__()
        self.panhead = conv_p(1, bands - 1, 5) if bands > 1 else None
        self.conv1 = conv_p(2 * bands, bands, 5)
        self.conv2 = nn.Sequential(ResP(bands), ResP(bands))

    def forward(self, image: Tensor, pan: Tensor) -> tuple[Tensor, Tensor]:
        features = [] if self.panhead is None else [self.panhead(pan)]
        x = self.conv1(torch.cat([image, *features, pan], 1))
        u = self.conv2(x)
        return u, torch.cat([u, x, image], 1)


class Descent(nn.Module):
    """Hl, Hp: H - [α PReLU(T(ms - d)) + β (H - u)], d = PReLU(5×5↓4(H, memory)); memory (H, memory, new H).

    T is a transposed 5×5 convolution. (ms - d) enters with a minus as released; T is free to turn it.
    """

    def __init__(self, bands: int, memory: int):
        super().__init__()
        self.alpha = nn.Parameter(torch.tensor(0.5))
        self.beta = nn.Parameter(torch.tensor(0.5))
        self.downconv = conv_p(bands + memory, bands, 5, stride=4)
        self.upconv = nn.ConvTranspose2d(bands, bands, 5, 4, 1, output_padding=1, bias=False)
        self.act = nn.PReLU(init=0.5)

    def forward(self, image: Tensor, u: Tensor, ms: Tensor, *memory: Tensor) -> tuple[Tensor, Tensor]:
        states = torch.cat([image, *memory], 1)
        back = self.act(self.upconv(ms - self.downconv(states)))
        image = image - (self.alpha * back + self.beta * (image - u))
        return image, torch.cat([states, image], 1)


class CrossAttention(nn.Module):
    """W softmax(θᵀφ) g over all pixels, keys and values from MS and from PAN features; both results.

    Logits are not scaled. W ends in a batch norm of zero weight at the start.
    """

    def __init__(self, bands: int):
        super().__init__()
        inner = max(1, bands // 2)

        def key() -> nn.Sequential:
            return nn.Sequential(nn.Conv2d(bands, inner, 3, 2, 1), nn.MaxPool2d(2), nn.Upsample(scale_factor=2))

        def value() -> nn.Sequential:
            return nn.Sequential(nn.Conv2d(bands, inner, 1), nn.MaxPool2d(2))

        def out() -> nn.Sequential:
            norm = nn.BatchNorm2d(bands)
            nn.init.zeros_(norm.weight)
            return nn.Sequential(nn.Conv2d(inner, bands, 1), norm)

        self.theta = nn.Conv2d(bands, inner, 3, 2, 1)
        self.phi, self.phi_pan = key(), key()
        self.g, self.g_pan = value(), value()
        self.W, self.W_pan = out(), out()

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        query = interpolate(self.theta(a), scale_factor=2)
        from_ms = self.W(_attend(query, self.phi(a), self.g(a)))
        from_pan = self.W_pan(_attend(query, self.phi_pan(b), self.g_pan(b)))
        return torch.cat([from_ms, from_pan], 1)


def _attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    q, k, v = (x.flatten(2).mT for x in (query, key, value))
    return scaled_dot_product_attention(q, k, v, scale=1.0).mT.reshape(query.shape)


class NonLocal(nn.Module):
    """S: cross attention between MS and PAN features of half the size, brought back by a transposed 3×3."""

    def __init__(self, bands: int):
        super().__init__()
        self.from_ms, self.from_pan = conv_p(bands, bands, 3, 2), conv_p(1, bands, 3, 2)
        self.attention = CrossAttention(bands)
        self.out = refiner(2 * bands, bands, kernel=1, blocks=1)
        self.up = nn.ConvTranspose2d(bands, bands, 3, 2, 1, output_padding=1, bias=False)

    def forward(self, image: Tensor, pan: Tensor) -> Tensor:
        return self.up(self.out(self.attention(self.from_ms(image), self.from_pan(pan))))


class Stage(nn.Module):
    """The operators of one unfolding stage; `memory` is the number of channels handed to Hl and Hp."""

    def __init__(self, bands: int, memory: int):
        super().__init__()
        self.U, self.V = Denoiser(bands), Denoiser(bands)
        self.Hl, self.Hp = Descent(bands, memory), Descent(bands, memory)
        self.S = NonLocal(bands)


class Memory(nn.Module):
    """What a stream remembers: refiner 3c→2c (unless it has 2c already), ConvLSTM of width 2c, refiner."""

    def __init__(self, bands: int, outputs: int):
        super().__init__()
        self.enter = refiner(3 * bands, 2 * bands)
        self.cell = conv(4 * bands, 8 * bands, 3)
        self.leave = refiner(2 * bands, outputs)
        self.width = 2 * bands

    def forward(self, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        if x.shape[1] != self.width:
            x = self.enter(x)
        hidden, cell = state or (torch.zeros_like(x), torch.zeros_like(x))
        i, f, o, g = self.cell(torch.cat([x, hidden], 1)).chunk(4, 1)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        return self.leave(hidden), (hidden, cell)


class Network(types.Network, nn.Module):
    """MMNet: alternating descent on two priors, local and non-local, with a memory between stages [mmnet].

    Stage 0, H = ms_up: u = U(H); H = Hl(H, u); I = S(H); I = Hp(I, V(I)). Then `stages` stages of shared weights
    u = U(refiner(I, mᵁ)); H = Hl(I, u, mᴴˡ); I = S(H) + H; v = V(refiner(I, mⱽ)); I = Hp(I, v, mᴴᵖ),
    with m the remembered output of the same operator one stage before. The image is the last I.
    `ms_up` was bicubic. Global by the attention over all pixels.
    """

    inputs = ("ms", "ms_up", "pan")
    multiple = 8

    def __init__(self, bands: int, ratio: int = 4, *, form: str = "original", stages: int = 3):
        super().__init__()
        require("ratio", ratio, (4,), "MMNet's descent steps have a stride of 4; resample ms first")
        require("form", form, ("original",), "MMNet has one public form")
        self.predicts = "image"
        self.halo = None
        self.stages = stages
        self.first = Stage(bands, memory=0)
        self.later = Stage(bands, memory=bands)
        self.memory = nn.ModuleDict(
            {"U": Memory(bands, 2 * bands), "V": Memory(bands, 2 * bands)}
            | {"Hl": Memory(bands, bands), "Hp": Memory(bands, bands)}
        )
        self.join_u, self.join_v = refiner(3 * bands, bands), refiner(3 * bands, bands)

    def forward(self, ms: Tensor, ms_up: Tensor, pan: Tensor) -> Tensor:
        stage = self.first
        u, m_u = stage.U(ms_up, pan)
        image, m_hl = stage.Hl(ms_up, u, ms)
        image = stage.S(image, pan)
        v, m_v = stage.V(image, pan)
        image, m_hp = stage.Hp(image, v, ms)

        stage = self.later
        states: dict[str, State] = {}

        def recall(name: str, x: Tensor) -> Tensor:
            remembered, states[name] = self.memory[name](x, states.get(name))
            return remembered

        for _ in range(self.stages):
            u, m_u = stage.U(self.join_u(torch.cat([image, recall("U", m_u)], 1)), pan)
            image, m_hl = stage.Hl(image, u, ms, recall("Hl", m_hl))
            image = stage.S(image, pan) + image
            v, m_v = stage.V(self.join_v(torch.cat([image, recall("V", m_v)], 1)), pan)
            image, m_hp = stage.Hp(image, v, ms, recall("Hp", m_hp))
        return image

    KEYS = (
        (r"\.layers\.", None),  # the same tensors a second time
        (r"\.res_block\.", "."),
        (r"^stage0\.", "first."),
        (r"^(U|V|Hl|Hp)_block\.", r"later.\1."),
        (r"^H2SH", "later.H2SH"),
        (r"\.H2SH_Hin\.", ".S.from_ms."),
        (r"\.H2SH_PANin\.", ".S.from_pan."),
        (r"\.H2SH_outup\.", ".S.up."),
        (r"\.H2SH_out\.", ".S.out."),
        (r"\.H2SH\.", ".S.attention."),
        (r"^(U|V|Hl|Hp)conv1\.", r"memory.\1.enter."),
        (r"^(U|V|Hl|Hp)conv2\.", r"memory.\1.leave."),
        (r"^cell(U|V|Hl|Hp)\.conv\.", r"memory.\1.cell."),
        (r"^Uconv3\.", "join_u."),
        (r"^Vconv3\.", "join_v."),
    )
