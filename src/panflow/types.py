"""Values and contracts at the waist: Band, Sensor, Pair, Batch; Sharpener, Network, Transform, Objective.

Arrays are NumPy arrays or torch tensors alike, channels first, in the sensor's counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TypeVar, cast

import numpy as np

if TYPE_CHECKING:  # scenes are sharpened without torch
    from torch import Generator, Tensor
    from torch.nn import Module
else:
    Module = object

Array = Any  # a NumPy array or a torch tensor
YX = tuple[float, float]
T = TypeVar("T")
IMAGES = frozenset({"ms", "ms_up", "pan"})  # inputs of a network that ask for nothing but the transform
Renaming = tuple[tuple[str, str | None], ...]  # (regular expression, replacement; None drops) in turn
NOTHING: dict[str, Any] = dict.fromkeys(sorted(IMAGES))  # what every network can be called with, whether it asks or not


def yx(values: Iterable[T]) -> tuple[T, T]:
    """A value for rows and one for columns."""
    y, x = values
    return y, x


@dataclass(frozen=True)
class Band:
    """A spectral band: name, centre wavelength and width in nm, MTF gain at the Nyquist frequency of MS."""

    name: str
    wavelength: float
    width: float
    mtf: float


@dataclass(frozen=True)
class Sensor:
    """A sensor: its bands in file order, PAN to MS ratio, bit depth, PAN's MTF gain and relative spectral response
    (nm, share of the highest), where it is published."""

    name: str
    title: str
    bands: tuple[Band, ...]
    ratio: float
    bits: int
    pan: Band
    haze: tuple[float, ...] = ()  # band factors of BT-H's haze, where the field defines them
    response: tuple[tuple[float, float], ...] = ()
    source: str = ""

    @property
    def gains(self) -> tuple[float, ...]:
        """MTF gains of the bands at Nyquist."""
        return tuple(band.mtf for band in self.bands)

    def with_gains(self, gains: Iterable[float]) -> Sensor:
        """The same sensor with other MTF gains of its bands."""
        return replace(self, bands=tuple(replace(band, mtf=gain) for band, gain in zip(self.bands, gains, strict=True)))

    def select(self, indices: Iterable[int]) -> Sensor:
        """The same sensor with some of its bands, in the order given (0-based)."""
        return replace(self, bands=tuple(self.bands[i] for i in indices))


@dataclass(frozen=True)
class Pair:
    """PAN and MS of one place, and where the MS grid lies on the PAN grid.

    pan [B, 1, H, W]; ms [B, C, h, w]; ratio: PAN pixels per MS pixel in rows and columns; phase: for every
    band, where the centre of MS pixel (0, 0) falls on the PAN grid, in PAN pixels (row, column): (r - 1)/2
    where the grids share corners, r/2 in the field's toolbox, 0 where they share centres. pan_valid
    [B, 1, H, W] and ms_valid [B, 1, h, w] are boolean, None where everything is valid. core (top, bottom,
    left, right): the pixels that the pair stands for, in PAN pixels; what lies around is context.
    toolbox: interpolate with wrap-around borders, as the field's reference code does. origin: the scene's PAN pixel
    (row, column) that is the pair's first.
    """

    pan: Array
    ms: Array
    ratio: YX
    phase: tuple[YX, ...]
    sensor: Sensor
    pan_valid: Array | None = None
    ms_valid: Array | None = None
    core: tuple[int, int, int, int] | None = None
    reference: Array | None = None
    toolbox: bool = False
    origin: tuple[int, int] = (0, 0)

    @property
    def bands(self) -> int:
        return self.ms.shape[-3]

    @property
    def size(self) -> tuple[int, int]:
        """(H, W), the PAN grid."""
        return tuple(self.pan.shape[-2:])

    @property
    def ms_size(self) -> tuple[int, int]:
        """(h, w), the MS grid."""
        return tuple(self.ms.shape[-2:])

    @property
    def common_phase(self) -> YX:
        """The mean of the bands' phases."""
        n = len(self.phase)
        return sum(y for y, _ in self.phase) / n, sum(x for _, x in self.phase) / n


class Progress(Protocol):
    """Hears how far something long has come: the stage, done of how many parts, and what else there is to say."""

    def __call__(self, stage: str, done: int, total: int, /, *, note: str = ...) -> None: ...


class Sharpener(Protocol):
    """The waist: whatever sharpens. Who inherits it gets the parts below `__call__`, as they are for arithmetic without
    a network and the sensor's optics."""

    def halo(self, ratio: YX) -> int | None:
        """PAN pixels that a tile borrows on every side; None where the whole image is needed.

        MS comes with what interpolation needs beyond that (`ops.window`).
        """
        ...

    def fit(self, scene: Iterable[Pair]) -> Self:
        """A copy with the statistics of the whole scene, or itself. The scene is pairs whose cores tile it, iterated
        over as often as needed."""
        ...

    def __call__(self, pair: Pair) -> Array:
        """The fused image [B, C, H, W] in the sensor's counts."""
        ...

    @property
    def state(self) -> dict[str, Any]:
        """What `fit` has taken from a scene, and options: of a dataclass all fields. Numbers, texts, arrays, and
        tuples, mappings and dataclasses of them."""
        return {f.name: getattr(self, f.name) for f in fields(cast(Any, self))}

    def with_state(self, state: Mapping[str, Any]) -> Self:
        """A copy fitted as the one that the state is of, whose tensors may come as arrays."""
        return replace(cast(Any, self), **state)

    @property
    def evaluations(self) -> int:
        """How often a prediction asks a network, one answer after the other; 0 where there is none."""
        return 0

    @property
    def costly(self) -> bool:
        """Whether what is computed around a tile, to be thrown away, costs as much as the tile."""
        return False

    @property
    def uses_mtf(self) -> bool:
        """Whether it computes with the bands' MTF gains (`Sensor.gains`), which are estimated only then."""
        return False

    @property
    def intensity(self) -> tuple[str, Array] | None:
        """Where it takes one mix of the bands for PAN: by what its weights are ("mean", "sensor", "fit", "given"), and
        they [B, C], once it is fitted."""
        return None

    @property
    def depends_on_tiles(self) -> bool:
        """Whether it would need the whole image and is given tiles instead."""
        return False

    def memory(self, bands: int, ratio: YX) -> float:
        """MiB that a tile takes beside its images."""
        return 0.0

    def cell(self, ratio: YX) -> int:
        """PAN pixels of which the place where a tile with its context starts must be a multiple."""
        return 1


class Network(Module):
    """What a network of `networks` declares beside its layers: `class Network(types.Network, nn.Module)`.

    It is called with all of `IMAGES` and its other `inputs` by name, and answers [B, C, H, W]; a denoiser takes the
    state x [B, C, H, W] and its time t [B] before them.
    """

    inputs: tuple[str, ...]  # what it looks at: properties of `learned.inputs.View`
    multiple: int  # what sizes and starts of its images must be multiples of, PAN pixels
    halo: int | None  # PAN pixels that it sees around a pixel, on every side; None: the whole image
    predicts: Literal["image", "residual"]

    in_torch: bool = True  # whether it is a module of torch; else it takes and gives NumPy's arrays
    digest: str  # of the weights of one that is not
    denoiser: bool = False  # whether it takes a state and a time
    estimates: Literal["clean", "noise"] | None = None  # what a denoiser of diffusion answers, which counts whole steps
    takes_estimate: bool = False  # whether it also takes an earlier estimate of the clean residual, `estimate`
    # the same answer for processors, one band after the other; called with `core`, it may be zero elsewhere
    band_by_band: Callable[..., Tensor] | None = None
    KEYS: Renaming = ()  # from the names in public checkpoints to those here
    tuned: tuple[str, ...] = ()  # its parts that are adapted to a scene (`learned.adapt`); none: all

    def staged(self, *state: Any, **inputs: Any) -> tuple[Tensor, list[Any]]:
        """The answer, and what stages on the way to it estimate of the image: each has a mean and the variances
        aleatoric and epistemic [B, C, H, W] [uapn]."""
        return self(*state, **inputs), []


class Transform:
    """What happens to counts before a network sees them, arrays of NumPy and torch alike."""

    def state_dict(self) -> dict[str, np.ndarray]:
        """What a model's file keeps."""
        return {}

    def load_state_dict(self, tables: Mapping[str, Array]) -> None:
        """Takes what `state_dict` gave. Raises ValueError for what cannot be its own."""
        if tables:
            raise ValueError(f"{', '.join(tables)}: expected no tables")

    def learn(self, pairs: Iterable[Pair]) -> Self:
        """Takes what comes from a training set, in place."""
        return self

    def fit(self, scene: Iterable[Pair]) -> Self:
        """A copy for one scene, which comes as pairs whose cores tile it; or itself."""
        return self

    @property
    def tables(self) -> dict[str, np.ndarray]:
        """What `fit` has taken from a scene."""
        return {}

    def with_tables(self, tables: Mapping[str, Array]) -> Self:
        """A copy with the tables of another one."""
        return deepcopy(self)

    def unit(self) -> np.ndarray:
        """Counts per unit of a network's residual answer, [B or 1, C or 1, 1, 1]."""
        raise NotImplementedError

    def ms(self, x: Array) -> Array:
        """Of counts [B, C, h, w]."""
        raise NotImplementedError

    def pan(self, x: Array) -> Array:
        """Of counts [B, 1, H, W]."""
        raise NotImplementedError

    def inverse_ms(self, y: Array) -> Array:
        """Back to counts, [B, C, H, W]."""
        raise NotImplementedError


@dataclass(frozen=True)
class Batch:
    """A pair as a network sees it, and what it should answer.

    inputs: the named tensors that the network asks for (its `inputs`); ms_up [B, C, H, W] in counts; unit
    [B, C, 1, 1]: counts per unit of the answer; target [B, C, H, W]: the answer that reproduces the reference,
    (reference - ms_up) / unit where the network predicts the residual. None where there is no reference.
    """

    pair: Pair
    inputs: dict[str, Tensor]
    ms_up: Tensor
    unit: Tensor
    target: Tensor | None = None


class Objective(Module):
    """How a network is trained and how it is then used: `class Objective(types.Objective, nn.Module)`."""

    @property
    def evaluations(self) -> int:
        """How often `predict` asks the network, one answer after the other."""
        return 1

    @property
    def log(self) -> dict[str, float]:
        """Diagnostics of the last step."""
        return {}

    def players(self, network: Module, bands: int | None = None) -> dict[str, Module]:
        """The modules that are trained: "net", and perhaps "critic"."""
        return {"net": network}

    def losses(
        self, players: dict[str, Module], batch: Batch, rng: Generator | None = None, *, progress: float = 1.0
    ) -> Iterator[tuple[str, Tensor]]:
        """One (player, loss) after the other; the loop steps each player on its loss before the next is computed.

        progress: the share of the training that is done, for whatever is turned up or down on its way.
        """
        raise NotImplementedError

    def predict(self, network: Network, batch: Batch, noise: Any = None) -> Tensor:
        """The network's answer [B, C, H, W], in units of batch.unit; noise: what samplers draw from, `generative.noise`
        (None: seed 0, where the scene begins)."""
        raise NotImplementedError


__all__ = [
    "IMAGES",
    "NOTHING",
    "YX",
    "Array",
    "Band",
    "Batch",
    "Network",
    "Objective",
    "Pair",
    "Progress",
    "Renaming",
    "Sensor",
    "Sharpener",
    "Transform",
    "yx",
]
