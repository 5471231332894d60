"""Model: a transform, a network and an objective make a sharpener.

fused = ms_up + unit * answer for networks that predict the residual, the inverse transform of the answer for
those that predict the image. Training and use share `Model.batch`, so what surrounds a network is written once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import ceil, lcm
from typing import Any, Self

import torch
from torch import Tensor

from panflow.arrays import is_torch
from panflow.errors import InputError, is_out_of_memory
from panflow.generative.noise import Noise
from panflow.learned import inputs, runtime
from panflow.learned.blocks import blocks, cell_of, pad_to, side_of
from panflow.learned.inputs import View
from panflow.learned.runtime import bf16
from panflow.learned.runtime._backend import Backend
from panflow.learned.statistics import Gather, Statistics
from panflow.learned.weights import digest
from panflow.ops import back_projection, pan_detail
from panflow.ops.window import Core, grown
from panflow.types import YX, Array, Batch, Network, Objective, Pair, Sensor, Sharpener, Transform

FARTHEST = 512  # PAN pixels of halo beyond which tiles would be little but halo: the steps of a sampler add theirs up
SMALLEST = 64  # PAN pixels a side of a block that is not halved any more where memory does not suffice
PLANES = 64  # numbers of float32 that a network keeps per pixel and band, about


@dataclass(frozen=True)
class Model(Sharpener):
    """A sharpener that was learned.

    recipe: the sections network, transform and objective, each with `name` and options, `phase` (see `inputs.View`) and
    `back_projection` (steps of it after the network, `ops.back_projection`); info: data sources, licence, scores and
    whatever else the file holds; sensor: the one that it was trained for.
    context: PAN pixels around a tile that a model which looks at the whole image is given instead (its result then
    depends on the tiles); None: the whole image. seed: of the noise that samplers start from and add.
    detail: "pan" for an answer as sharp as PAN, "ms" for one as sharp as the MS sensor would give it on PAN's grid, of
    a network that can be asked for both.
    backend: what answers in the network's stead (`panflow.learned.runtime`); None: the network itself.
    """

    network: Network
    transform: Transform
    objective: Objective
    recipe: dict[str, Any]
    info: dict[str, Any] = field(default_factory=dict)
    sensor: Sensor | None = None
    statistics: Statistics | None = None
    context: int | None = None
    seed: int = 0
    backend: Backend | None = None
    detail: str = "pan"

    costly = True
    uses_mtf = True

    @property
    def device(self) -> torch.device:
        return next(iter(self.network.parameters())).device

    def to(self, device: str | torch.device) -> Self:
        """On a device of torch, or "auto": the first of cuda, mps and cpu that is there. InputError for another."""
        device = _best_device() if device == "auto" else device
        try:
            network = self.network.to(device)
            transform = self.transform.to(device)
            objective = self.objective.to(device)
        except (RuntimeError, AssertionError) as error:  # what torch raises for names and for what is not there
            reason = str(error).partition("\n")[0]
            raise InputError(f"device {device} cannot be used: {reason}; expected auto, cpu, cuda or mps") from None
        return replace(self, network=network, transform=transform, objective=objective, backend=None)

    def on(self, name: str) -> Self:
        """The same model with an inference backend (`learned.runtime`); these are of the CPU but for bf16."""
        if self.device.type == "cpu":
            return replace(self, backend=runtime.backend(name, self.network, self.evaluations))
        if name in ("auto", "torch"):
            return self
        if (self.device.type, name) == ("cuda", "bf16"):
            return replace(self, backend=bf16.Backend(self.network))
        raise InputError(f"the runtime {name} is of the CPU, and the model is on {self.device}: set device to cpu")

    @property
    def evaluations(self) -> int:
        return self.objective.evaluations

    @property
    def depends_on_tiles(self) -> bool:
        return self.prediction_halo is None and self.context is not None

    @property
    def prediction_halo(self) -> int | None:
        """PAN pixels that a prediction sees around a pixel: the network's halo, once for every step of a sampler, since
        each sees what the one before saw. None: the whole image, or so far that it had better be."""
        if self.network.halo is None:
            return None
        halo = self.network.halo * self.evaluations
        return halo if halo <= FARTHEST else None

    def halo(self, ratio: YX) -> int | None:
        """PAN pixels around a tile: those of the inputs, of the prediction and of back-projection."""
        halo = self.context if self.prediction_halo is None else self.prediction_halo
        if halo is None:
            return None
        halo += inputs.halo(ratio, self.network.inputs) + self._steps_back * back_projection.halo(ratio)
        halo += self._sharp * pan_detail.halo(ratio)
        cell = lcm(*self._cell(ratio))  # tiles start where the whole image's pooling and MS pixels start
        return ceil(halo / cell) * cell

    def memory(self, bands: int, ratio: YX) -> float:
        """MiB that the network takes for a block."""
        halo = self.prediction_halo
        if halo is None or cell_of(ratio, self.network.multiple) is None:
            return 0.0
        side = self._side(halo) + 2 * halo
        return side * side * bands * 4 * PLANES / 2**20

    def _side(self, halo: int) -> int:
        band_by_band = self.backend is not None and self.backend.band_by_band is not None
        return side_of(self.device, band_by_band, halo)

    @property
    def _steps_back(self) -> int:
        """Steps of back-projection: none where the answer is as sharp as PAN, since MS's noise, aliasing and
        displacement would be in it."""
        return 0 if self._sharp else self.recipe.get("back_projection", 0)

    @property
    def _sharp(self) -> bool:
        """Whether the answer is to be as sharp as PAN, of a network that can be asked for it."""
        return self.detail == "pan" and "full_detail" in self.network.inputs

    def _cell(self, ratio: YX) -> tuple[int, int]:
        """What sizes and starts of images must be multiples of, in PAN pixels."""
        multiple = self.network.multiple
        cell = cell_of(ratio, multiple) if "ms" in self.network.inputs else None
        return cell or (multiple, multiple)

    def fit(self, scene: Iterable[Pair]) -> Self:
        """A copy with the transform's tables of the scene and, where an input needs them, statistics of bands and
        PAN."""
        pairs = (self._tensors(pair) for pair in scene)
        if not inputs.needs_statistics(self.network.inputs):
            return replace(self, transform=self.transform.fit(pairs).to(self.device))
        gather = Gather(pairs)
        transform = self.transform.fit(gather).to(self.device)
        return replace(self, transform=transform, statistics=gather.finish())

    @property
    def state(self) -> dict[str, Any]:
        return {"network": digest(self.network), "statistics": self.statistics, "tables": self.transform.tables}

    def with_state(self, state: Mapping[str, Any]) -> Self:
        if state["network"] != digest(self.network):
            raise InputError("the fit is of a network with other weights: expected the same model and adapter")
        tables = {name: torch.as_tensor(table).to(self.device) for name, table in state["tables"].items()}
        statistics = state["statistics"]
        if statistics is not None:
            values = {name: torch.as_tensor(value).to(self.device) for name, value in vars(statistics).items()}
            statistics = Statistics(**values)
        return replace(self, transform=self.transform.with_tables(tables), statistics=statistics)

    def batch(self, pair: Pair) -> Batch:
        """The pair, which is a part of the scene that was fitted, as the network sees it."""
        view = self._view(pair)
        batch = self._batch(view)
        reference = view.pair.reference
        if reference is None:
            return batch
        if self.network.predicts == "residual":
            return replace(batch, target=(reference - batch.ms_up) / batch.unit)
        return replace(batch, target=self.transform.ms(reference))

    def _view(self, pair: Pair) -> View:
        self._check(pair)
        pair = self._tensors(pair)
        unit = self.transform.unit().to(pair.ms)
        return View(pair, self.transform, self.statistics, unit, self.recipe.get("phase"), self.detail)

    def _moving(self, unit: Tensor) -> Tensor:
        """The unit, 0 for bands that are constant in the scene: nothing is known of them that could be sharpened."""
        if self.statistics is None:
            return unit
        flat = self.statistics.std <= 1e-5 * self.statistics.mean.abs()
        return torch.where(flat, torch.zeros_like(unit), unit) if flat.any() else unit

    def _batch(self, view: View) -> Batch:
        images = {name: getattr(view, name) for name in self.network.inputs}
        return Batch(view.pair, images, view.counts, view.unit)

    def __call__(self, pair: Pair) -> Array:
        """The fused image [B, C, H, W] in the sensor's counts, of the kind that the pair has.

        Of a pair with a core only what the core depends on is computed; the rest is zero.
        """
        steps = self._steps_back
        whole = core = (0, pair.size[0], 0, pair.size[1])
        with torch.inference_mode():
            view = self._view(pair)
            if pair.core is not None and self.prediction_halo is not None:
                around = steps * back_projection.halo_float32(pair) + self._sharp * pan_detail.halo(pair.ratio)
                core = grown(pair.core, around, pair.size)
            inner = view.part(core).pair
            fused = self.matched(back_projection.project(self._fused(view, core), inner, steps), inner)
            if core != whole:
                top, bottom, left, right = core
                part = fused
                fused = fused.new_zeros((*fused.shape[:2], *pair.size))
                fused[..., top:bottom, left:right] = part
        return fused.to(pair.ms) if is_torch(pair.ms) else fused.cpu().numpy().astype(pair.ms.dtype)

    def matched(self, fused: Tensor, pair: Pair) -> Tensor:
        """With PAN's fine detail, where the answer is to be as sharp as PAN."""
        if not self._sharp or self.statistics is None:
            return fused
        mix = self.statistics.pan_weights.to(fused), self.statistics.shares.to(fused)
        return pan_detail.match(fused, pair.pan, *mix, pair.ratio)

    def _fused(self, view: View, core: Core) -> Tensor:
        """A core before back-projection, [B, C, rows, columns]; in blocks where the network is local."""
        top, bottom, left, right = core
        halo = self.prediction_halo
        cell = cell_of(view.pair.ratio, self.network.multiple)
        if halo is None or cell is None:
            return self._answer(view)[..., top:bottom, left:right]
        return self._in_blocks(view, core, self._side(halo), halo, cell)

    def _in_blocks(self, view: View, core: Core, side: int, halo: int, cell: tuple[int, int]) -> Tensor:
        """A core from blocks of about `side` pixels; what the memory does not suffice for is done in smaller ones."""
        top, bottom, left, right = core
        fused = torch.empty(*view.pair.ms.shape[:2], bottom - top, right - left, device=self.device)
        for block in blocks(core, view.pair.size, side, halo, cell):
            answer = None
            try:
                answer = self._answer(view.part(block.window), block.inner)[_at(block.inner)]
            except Exception as error:
                if side <= SMALLEST or not is_out_of_memory(error):
                    raise
            if answer is None:  # here, where the error does not hold the block's tensors any more
                if self.device.type == "cuda":
                    torch.cuda.empty_cache()
                answer = self._in_blocks(view, block.core, side // 2, halo, cell)
            fused[_at(block.core, (top, left))] = answer
        return fused

    def _answer(self, view: View, core: Core | None = None) -> Tensor:
        """The fused pixels of a view, by one prediction of the objective; right in the core, anything around it."""
        batch = self._batch(view)
        answer = self._predict(batch, core).to(batch.ms_up.dtype)
        if self.network.predicts == "residual":
            return batch.ms_up + self._moving(batch.unit) * answer
        return self.transform.inverse_ms(answer)

    def _predict(self, batch: Batch, core: Core | None = None) -> Tensor:
        """One prediction, of an image that reflection extends to the multiples that the network needs."""
        height, width = batch.ms_up.shape[-2:]
        batch = pad_to(batch, self._cell(batch.pair.ratio))
        noise = Noise(self.seed, batch.pair.origin)  # the same at every call, on every device and in every tile
        network: Network = self.backend or self.network
        if self.backend and core and self.evaluations == 1:
            network = self.backend.within(core)
        return self.objective.predict(network, batch, noise)[..., :height, :width]

    def _check(self, pair: Pair) -> None:
        """Refuses pairs that the network cannot take."""
        options = {"ratio": 4, **self.recipe["network"]}
        if options.get("bands", pair.bands) != pair.bands:
            raise InputError(
                f"the model is for {options['bands']} bands and the scene has {pair.bands}: choose its bands, or "
                "another model"
            )
        if "ms" in self.network.inputs and any(round(r) != options["ratio"] for r in pair.ratio):
            raise InputError(
                f"the model is for a ratio of {options['ratio']} and the scene has {pair.ratio[0]:g} x "
                f"{pair.ratio[1]:g}: take another model"
            )

    def _tensors(self, pair: Pair) -> Pair:
        """The pair in float32 on the model's device."""

        def tensor(values: Array | None, dtype: torch.dtype = torch.float32) -> Tensor | None:
            return None if values is None else torch.as_tensor(values).to(self.device, dtype)

        return replace(
            pair,
            pan=tensor(pair.pan),
            ms=tensor(pair.ms),
            reference=tensor(pair.reference),
            pan_valid=tensor(pair.pan_valid, torch.bool),
            ms_valid=tensor(pair.ms_valid, torch.bool),
        )


def _at(core: Core, origin: tuple[int, int] = (0, 0)) -> tuple:
    """Of an image whose first pixel is `origin`, the index of a core."""
    top, bottom, left, right = core
    y, x = origin
    return ..., slice(top - y, bottom - y), slice(left - x, right - x)


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
