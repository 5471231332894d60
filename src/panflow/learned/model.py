"""Model: a transform, a network and an objective make a sharpener.

fused = ms_up + unit * answer for networks that predict the residual, the inverse transform of the answer for
those that predict the image. Training and use share `Model.batch`, so what surrounds a network is written once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from math import ceil, lcm
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from panflow import registry
from panflow.arrays import is_torch, like, namespace, to_numpy
from panflow.errors import InputError, is_out_of_memory
from panflow.generative.noise import Noise
from panflow.learned import inputs, runtime
from panflow.learned.blocks import (
    HALOS,
    SIDE,
    SIDE_ACCELERATOR,
    SIDE_BAND_BY_BAND,
    SIDE_GRAPH,
    blocks,
    cell_of,
    pad_to,
)
from panflow.learned.inputs import View
from panflow.learned.statistics import Gather, Statistics
from panflow.ops import back_projection, pan_detail
from panflow.ops.window import Core, grown
from panflow.types import YX, Array, Batch, Network, Objective, Pair, Sensor, Sharpener, Transform

if TYPE_CHECKING:  # the default runs without torch
    import torch

    from panflow.learned.runtime._backend import Backend

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

    def __getstate__(self) -> dict[str, Any]:
        """For another process: inference backends, which may not be pickled, go by their names."""
        name = type(self.backend).__module__.rpartition(".")[2] if self.backend else None
        return {**vars(self), "backend": name}

    def __setstate__(self, state: dict[str, Any]) -> None:
        name = state["backend"]
        backend = registry.get("runtimes", name).Backend(state["network"]) if name else None
        vars(self).update(state, backend=backend)

    @property
    def device(self) -> torch.device | None:
        """Where torch computes; None: NumPy does, on the CPU."""
        return next(iter(self.network.parameters())).device if self.network.in_torch else None

    def to(self, device: str | torch.device) -> Self:
        """On a device of torch, or "auto": the first of cuda, mps and cpu that is there. InputError for another."""
        if not self.network.in_torch:
            raise InputError("the model was opened as a graph for the CPU: open it with another runtime than onnx")
        device = _best_device() if device == "auto" else device
        try:
            network = self.network.to(device)
            objective = self.objective.to(device)
        except (RuntimeError, AssertionError) as error:  # what torch raises for names and for what is not there
            reason = str(error).partition("\n")[0]
            raise InputError(f"device {device} cannot be used: {reason}; expected auto, cpu, cuda or mps") from None
        return replace(self, network=network, objective=objective, backend=None)

    def on(self, name: str) -> Self:
        """The same model with an inference backend (`learned.runtime`); these are of the CPU but for bf16."""
        if self.device is None:
            return self if name == "onnx" else self.to("cpu").on(name)
        if self.device.type == "cpu":
            return replace(self, backend=runtime.backend(name, self.network, self.evaluations))
        if name in ("auto", "torch"):
            return self
        if (self.device.type, name) == ("cuda", "bf16"):
            from panflow.learned.runtime import bf16

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
        return ceil(halo / self.cell(ratio)) * self.cell(ratio)

    def cell(self, ratio: YX) -> int:
        return lcm(*self._cell(ratio))  # tiles start where the whole image's pooling and MS pixels start

    def memory(self, bands: int, ratio: YX) -> float:
        """MiB that the network takes for a block."""
        halo = self.prediction_halo
        if halo is None or cell_of(ratio, self.network.multiple) is None:
            return 0.0
        side = self._side(halo) + 2 * halo
        return side * side * bands * 4 * PLANES / 2**20

    def _side(self, halo: int) -> int:
        """PAN pixels a side of a block's core."""
        if self.device is None:
            side = SIDE_GRAPH
        elif self.device.type != "cpu":
            side = SIDE_ACCELERATOR
        else:
            side = SIDE_BAND_BY_BAND if self.backend and self.backend.band_by_band else SIDE
        return max(side, HALOS * halo)

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
        pairs = (self._arrays(pair) for pair in scene)
        if not inputs.needs_statistics(self.network.inputs):
            return replace(self, transform=self.transform.fit(pairs))
        gather = Gather(pairs)
        return replace(self, transform=self.transform.fit(gather), statistics=gather.finish())

    @property
    def state(self) -> dict[str, Any]:
        return {"network": self.digest, "statistics": self.statistics, "tables": self.transform.tables}

    def with_state(self, state: Mapping[str, Any]) -> Self:
        if state["network"] != self.digest:
            raise InputError("the fit is of a network with other weights: expected the same model and adapter")
        statistics = state["statistics"]
        if statistics is not None:
            statistics = Statistics(**{name: self._here(value) for name, value in vars(statistics).items()})
        return replace(self, transform=self.transform.with_tables(state["tables"]), statistics=statistics)

    @property
    def digest(self) -> str:
        """Of the network's weights."""
        if not self.network.in_torch:
            return self.network.digest
        from panflow.learned.weights import digest

        return digest(self.network)

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
        pair = self._arrays(pair)
        unit = like(self.transform.unit(), pair.ms)
        return View(pair, self.transform, self.statistics, unit, self.recipe.get("phase"), self.detail)

    def _moving(self, unit: Array) -> Array:
        """The unit, 0 for bands that are constant in the scene: nothing is known of them that could be sharpened."""
        if self.statistics is None:
            return unit
        xp = namespace(unit)
        flat = self.statistics.std <= 1e-5 * xp.abs(self.statistics.mean)
        return xp.where(flat, xp.zeros_like(unit), unit) if flat.any() else unit

    def _batch(self, view: View) -> Batch:
        images = {name: getattr(view, name) for name in self.network.inputs}
        return Batch(view.pair, images, view.counts, view.unit)

    def __call__(self, pair: Pair) -> Array:
        """The fused image [B, C, H, W] in the sensor's counts, of the kind that the pair has.

        Of a pair with a core only what the core depends on is computed; the rest is zero.
        """
        steps = self._steps_back
        whole = core = (0, pair.size[0], 0, pair.size[1])
        with self._without_gradients():
            view = self._view(pair)
            if pair.core is not None and self.prediction_halo is not None:
                around = steps * back_projection.halo_float32(pair) + self._sharp * pan_detail.halo(pair.ratio)
                core = grown(pair.core, around, pair.size)
            inner = view.part(core).pair
            fused = self.matched(back_projection.project(self._fused(view, core), inner, steps), inner)
            if core != whole:
                top, bottom, left, right = core
                part = fused
                fused = self._empty(pair, pair.size)
                fused[...] = 0
                fused[..., top:bottom, left:right] = part
        if not is_torch(pair.ms):
            return to_numpy(fused).astype(pair.ms.dtype, copy=False)
        import torch

        return torch.as_tensor(fused).to(pair.ms)

    def matched(self, fused: Array, pair: Pair) -> Array:
        """With PAN's fine detail, where the answer is to be as sharp as PAN."""
        if not self._sharp or self.statistics is None:
            return fused
        astype = namespace(fused).astype
        weights, shares = (astype(x, fused.dtype) for x in (self.statistics.pan_weights, self.statistics.shares))
        return pan_detail.match(fused, pair.pan, weights, shares, pair.ratio)

    def _fused(self, view: View, core: Core) -> Array:
        """A core before back-projection, [B, C, rows, columns]; in blocks where the network is local."""
        top, bottom, left, right = core
        halo = self.prediction_halo
        cell = cell_of(view.pair.ratio, self.network.multiple)
        if halo is None or cell is None:
            return self._answer(view)[..., top:bottom, left:right]
        return self._in_blocks(view, core, self._side(halo), halo, cell)

    def _in_blocks(self, view: View, core: Core, side: int, halo: int, cell: tuple[int, int]) -> Array:
        """A core from blocks of about `side` pixels; what the memory does not suffice for is done in smaller ones."""
        top, bottom, left, right = core
        fused = self._empty(view.pair, (bottom - top, right - left))
        for block in blocks(core, view.pair.size, side, halo, cell):
            answer = None
            try:
                answer = self._answer(view.part(block.window), block.inner)[_at(block.inner)]
            except Exception as error:
                if side <= SMALLEST or not is_out_of_memory(error):
                    raise
            if answer is None:  # here, where the error does not hold the block's tensors any more
                if self.device and self.device.type == "cuda":
                    import torch

                    torch.cuda.empty_cache()
                answer = self._in_blocks(view, block.core, side // 2, halo, cell)
            fused[_at(block.core, (top, left))] = answer
        return fused

    def _answer(self, view: View, core: Core | None = None) -> Array:
        """The fused pixels of a view, by one prediction of the objective; right in the core, anything around it."""
        batch = self._batch(view)
        answer = namespace(batch.ms_up).astype(self._predict(batch, core), batch.ms_up.dtype, copy=False)
        if self.network.predicts == "residual":
            return batch.ms_up + self._moving(batch.unit) * answer
        return self.transform.inverse_ms(answer)

    def _predict(self, batch: Batch, core: Core | None = None) -> Array:
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

    def _arrays(self, pair: Pair) -> Pair:
        """The pair in float32, of torch on the model's device or of NumPy."""

        def array(values: Array | None, dtype: str = "float32") -> Array | None:
            if values is None:
                return None
            here = self._here(values)
            return namespace(here).astype(here, getattr(namespace(here), dtype), copy=False)

        return replace(
            pair,
            pan=array(pair.pan),
            ms=array(pair.ms),
            reference=array(pair.reference),
            pan_valid=array(pair.pan_valid, "bool"),
            ms_valid=array(pair.ms_valid, "bool"),
        )

    def _here(self, values: Array) -> Array:
        """An array of NumPy, or of torch on the model's device."""
        if self.device is None:
            return to_numpy(values)
        import torch

        return torch.as_tensor(values).to(self.device)

    def _empty(self, pair: Pair, size: tuple[int, int]) -> Array:
        """An image of so many PAN pixels with the pair's bands, in float32."""
        shape = (*pair.ms.shape[:2], *size)
        if self.device is None:
            return np.empty(shape, np.float32)
        import torch

        return torch.empty(shape, device=self.device)

    def _without_gradients(self) -> AbstractContextManager:
        if self.device is None:
            return nullcontext()
        import torch

        return torch.inference_mode()


def _at(core: Core, origin: tuple[int, int] = (0, 0)) -> tuple:
    """Of an image whose first pixel is `origin`, the index of a core."""
    top, bottom, left, right = core
    y, x = origin
    return ..., slice(top - y, bottom - y), slice(left - x, right - x)


def _best_device() -> str:
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
