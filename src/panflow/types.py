"""Values and protocols at the waist: Band, Sensor, Pair; Sharpener, Transform, Objective.

Arrays are NumPy arrays or torch tensors alike, channels first, in the sensor's own counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self, TypeVar, runtime_checkable

Array = Any  # a NumPy array or a torch tensor
YX = tuple[float, float]
T = TypeVar("T")
IMAGES = frozenset({"ms", "ms_up", "pan"})  # inputs of a network that ask for nothing but the transform
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
    """What is known of a sensor: its bands in file order, PAN to MS ratio, bit depth, PAN's MTF gain."""

    name: str
    title: str
    bands: tuple[Band, ...]
    ratio: float
    bits: int
    pan: Band
    haze: tuple[float, ...] = ()  # band factors of BT-H's haze, where the field defines them
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
    left, right): the pixels that are the pair's own, in PAN pixels; what lies around is borrowed context.
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


@runtime_checkable
class Sharpener(Protocol):
    """The waist: whatever sharpens."""

    def halo(self, ratio: YX) -> int | None:
        """PAN pixels that a tile borrows on every side; None where the whole image is needed.

        MS comes with what interpolation needs beyond that (`ops.window`).
        """
        ...

    def fit(self, scene: Iterable[Pair]) -> Self:
        """What must be known of the whole scene, or itself. The scene comes as pairs whose cores tile it, as often as
        one asks."""
        ...

    def __call__(self, pair: Pair) -> Array:
        """The fused image [B, C, H, W] in the sensor's own counts."""
        ...


class Transform(Protocol):
    """What happens to counts before a network sees them."""

    def fit(self, scene: Iterable[Pair]) -> Self: ...
    def ms(self, x: Array) -> Array: ...
    def pan(self, x: Array) -> Array: ...


@dataclass(frozen=True)
class Batch:
    """A pair as a network sees it, and what it should answer.

    inputs: the named tensors that the network asks for (its `inputs`); ms_up [B, C, H, W] in counts; unit
    [B, C, 1, 1]: counts per unit of the answer; target [B, C, H, W]: the answer that reproduces the reference,
    (reference - ms_up) / unit where the network predicts the residual. None where there is no reference.
    """

    pair: Pair
    inputs: dict[str, Array]
    ms_up: Array
    unit: Array
    target: Array | None = None


class Objective(Protocol):
    """How a network is trained and how it is then used. `rng` is a torch.Generator."""

    @property
    def evaluations(self) -> int:
        """How often `predict` asks the network, one answer after the other."""
        ...

    @property
    def log(self) -> dict[str, float]:
        """What the last step tells of itself."""
        ...

    def players(self, network: Any, bands: int) -> dict[str, Any]:
        """The modules that are trained: "net", and perhaps "critic"."""
        ...

    def losses(
        self, players: dict[str, Any], batch: Batch, rng: Any = None, *, progress: float = 1.0
    ) -> Iterator[tuple[str, Any]]:
        """One (player, loss) after the other; the loop steps each player on its loss before the next is made.

        progress: the share of the training that is done, for whatever is turned up or down on its way.
        """
        ...

    def predict(self, network: Any, batch: Batch, noise: Any = None) -> Array:
        """The network's answer [B, C, H, W], in units of batch.unit; noise: what samplers draw from, `generative.noise`
        (None: seed 0, where the scene begins)."""
        ...


__all__ = [
    "IMAGES",
    "NOTHING",
    "YX",
    "Array",
    "Band",
    "Batch",
    "Objective",
    "Pair",
    "Sensor",
    "Sharpener",
    "Transform",
    "yx",
]
