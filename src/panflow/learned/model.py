"""Model: a transform, a network and an objective make a sharpener; one file holds them all.

fused = ms_up + unit * answer for networks that predict the residual, the inverse transform of the answer for
those that predict the image. Training and use share `Model.batch`, so what surrounds a network is written once.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from math import ceil, lcm
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.functional import pad

from panflow import __version__, registry
from panflow.arrays import is_torch
from panflow.errors import InputError
from panflow.files.output import Output
from panflow.generative.noise import Noise
from panflow.learned import inputs
from panflow.learned.inputs import Gather, Statistics, View, observed
from panflow.learned.runtime import bf16, runtime
from panflow.learned.runtime._network import Asked
from panflow.learned.weights import require_finite, take, take_tables
from panflow.ops import consistency
from panflow.ops.window import Core, grown
from panflow.types import YX, Array, Band, Batch, Network, Objective, Pair, Sensor, Sharpener, Transform

# PAN pixels a side that a local network works on at once, context aside: what stays in a CPU's cache (FRUGAL: of a
# network that takes one band after the other), and what elsewhere fits the memory; never less than 8 times the
# context, which is computed twice
BLOCK, FRUGAL, WIDE = 128, 512, 1024
CONTEXT = 8
FAR = 512  # PAN pixels of reach beyond which tiles would be little but context: a sampler adds its steps' reaches up


@dataclass(frozen=True)
class Model(Sharpener):
    """A sharpener that was learned.

    recipe: the sections network, transform and objective, each with `name` and options, `phase` (see `inputs.View`) and
    `consistency` (steps of back-projection after the network, `ops.consistency`); info: data sources, licence, scores
    and whatever else the file tells; sensor: what it was made for.
    observed: the sensor with the MTF that the scene shows, where the one that is told does not explain it.
    context: PAN pixels that a model which looks at the whole image is given around a tile instead (its result then
    depends on the tiles); None: the whole image. seed: of the noise that samplers start from and add.
    engine: what asks the network in its stead (`panflow.learned.runtime`); None: the network itself.
    """

    network: Network
    transform: Transform
    objective: Objective
    recipe: dict[str, Any]
    info: dict[str, Any] = field(default_factory=dict)
    sensor: Sensor | None = None
    statistics: Statistics | None = None
    observed: Sensor | None = None
    context: int | None = None
    seed: int = 0
    engine: Asked | None = None

    costly = True  # what is computed around a tile, to be thrown away, costs as much as the tile

    @property
    def device(self) -> torch.device:
        return next(iter(self.network.parameters())).device

    def to(self, device: str | torch.device) -> Self:
        """On a device of torch, or "auto": the first of cuda, mps and cpu that is there. InputError for another."""
        chosen = _best() if device == "auto" else device
        try:
            network, transform = _moved(self.network, chosen), _moved(self.transform, chosen)
            objective = _moved(self.objective, chosen)
        except (RuntimeError, AssertionError) as error:  # what torch raises for names and for what is not there
            told = str(error).partition("\n")[0]
            raise InputError(f"device {chosen} cannot be used: {told}; expected auto, cpu, cuda or mps") from None
        return replace(self, network=network, transform=transform, objective=objective, engine=None)

    @property
    def evaluations(self) -> int:
        """How often a prediction asks the network, one answer after the other."""
        return self.objective.evaluations

    @property
    def reach(self) -> int | None:
        """PAN pixels that the prediction looks at: the network's, once for every step of a sampler, since each sees
        what the one before saw. None: the whole image, or so far that it had better be."""
        if self.network.halo is None:
            return None
        reach = self.network.halo * self.evaluations
        return reach if reach <= FAR else None

    @property
    def depends_on_tiles(self) -> bool:
        """Whether a model that looks at the whole image is given tiles instead."""
        return self.reach is None and self.context is not None

    @property
    def _side(self) -> int:
        """PAN pixels a side of a block."""
        if self.device.type != "cpu":
            return WIDE
        return FRUGAL if self.engine and self.engine.frugally else BLOCK

    def memory(self, bands: int, ratio: YX) -> float:
        """MiB that the network takes for a block: about 64 numbers of float32 per pixel and band."""
        if self.reach is None or grid(ratio, self.network.multiple) is None:
            return 0.0
        side = max(self._side, CONTEXT * self.reach) + 2 * self.reach
        return side * side * bands * 4 * 64 / 2**20

    def on(self, name: str) -> Self:
        """The same model, its network asked by a runtime (`learned.runtime`), which are of the CPU but for bf16."""
        if self.device.type != "cpu":
            if name in ("auto", "torch"):
                return self
            if (self.device.type, name) == ("cuda", "bf16"):
                return replace(self, engine=bf16.Engine(self.network))
            raise InputError(f"the runtime {name} is of the CPU, and the model is on {self.device}: set device to cpu")
        return replace(self, engine=runtime(name, self.network, self.evaluations))

    def halo(self, ratio: YX) -> int | None:
        """PAN pixels around a tile: what the inputs look at and what the prediction looks at."""
        reach = self.context if self.reach is None else self.reach
        if reach is None:
            return None
        reach += self._steps * consistency.halo(ratio)
        step = lcm(*self._cell(ratio))  # tiles start where the whole image's pooling and MS pixels start
        return ceil((inputs.halo(ratio, self.network.inputs) + reach) / step) * step

    @property
    def _steps(self) -> int:
        """Of back-projection: none where the MTF that is told does not explain the scene, since it would ring."""
        return 0 if self.observed else self.recipe.get("consistency", 0)

    def _cell(self, ratio: YX) -> tuple[int, int]:
        """What sizes and starts of images must be multiples of, in PAN pixels."""
        multiple = self.network.multiple
        fine = grid(ratio, multiple) if "ms" in self.network.inputs else None
        return fine or (multiple, multiple)

    def fit(self, scene: Iterable[Pair]) -> Self:
        """A copy that knows the scene: the transform's tables and, if an input asks, statistics of bands and PAN."""
        pairs = (self._tensors(pair) for pair in scene)
        if not inputs.needs_statistics(self.network.inputs):
            return replace(self, transform=_moved(self.transform.fit(pairs), self.device))
        gather = Gather(pairs)
        transform = self.transform.fit(gather)
        statistics = gather.finish()
        shown = observed(gather.sensor, statistics)
        if shown:
            statistics = Gather(self._tensors(replace(pair, sensor=shown)) for pair in scene).finish()
            if shown.gains > gather.sensor.gains:  # then they explain it: the rest is no softness of the truth
                statistics = replace(statistics, sharpness=torch.ones_like(statistics.sharpness))
        return replace(self, transform=_moved(transform, self.device), statistics=statistics, observed=shown)

    def fitted_as(self, other: Self) -> Self:
        """A copy that knows the scene that another copy was fitted to, on its own device."""
        transform, known = _moved(deepcopy(other.transform), self.device), other.statistics
        if known is not None:
            known = Statistics(**{name: value.to(self.device) for name, value in vars(known).items()})
        return replace(self, transform=transform, statistics=known, observed=other.observed)

    def batch(self, pair: Pair) -> Batch:
        """The pair, which is a part of the scene that was fitted, as the network sees it."""
        view = self._view(pair)
        batch, reference = self._batch(view), view.pair.reference
        if reference is None:
            return batch
        residual = self.network.predicts == "residual"
        target = (reference - batch.ms_up) / batch.unit if residual else self.transform.ms(reference)
        return replace(batch, target=target)

    def _view(self, pair: Pair) -> View:
        self._check(pair)
        pair = self._tensors(replace(pair, sensor=self.observed or pair.sensor))
        return View(pair, self.transform, self.statistics, self.transform.unit().to(pair.ms), self.recipe.get("phase"))

    def _batch(self, view: View) -> Batch:
        named = {name: getattr(view, name) for name in self.network.inputs}
        return Batch(view.pair, named, view.counts, view.unit)

    def __call__(self, pair: Pair) -> Array:
        """The fused image [B, C, H, W] in the sensor's own counts, of the kind that the pair has.

        Of a pair with a core only what the core depends on is computed; the rest is zero.
        """
        steps, whole = self._steps, (0, pair.size[0], 0, pair.size[1])
        with torch.inference_mode():
            view, core = self._view(pair), whole
            if pair.core is not None and self.reach is not None:
                core = grown(pair.core, steps * consistency.reach(pair), pair.size)
            fused = consistency.project(self._fused(view, core), view.part(core).pair, steps)
            if core != whole:
                top, bottom, left, right = core
                part, fused = fused, fused.new_zeros((*fused.shape[:2], *pair.size))
                fused[..., top:bottom, left:right] = part
        return fused.to(pair.ms) if is_torch(pair.ms) else fused.cpu().numpy().astype(pair.ms.dtype)

    def _fused(self, view: View, core: Core) -> Tensor:
        """A core before it is made consistent, [B, C, rows, columns]; in blocks where the network is local."""
        top, bottom, left, right = core
        reach, cell = self.reach, grid(view.pair.ratio, self.network.multiple)
        if reach is None or cell is None:
            return self._answer(view)[..., top:bottom, left:right]
        side = max(self._side, CONTEXT * reach)
        fused = torch.empty(*view.pair.ms.shape[:2], bottom - top, right - left, device=self.device)
        spans = (
            _spans(low, high, side, reach, n, g)
            for low, high, n, g in zip((top, left), (bottom, right), view.pair.size, cell)
        )
        for (own_y, seen_y), (own_x, seen_x) in product(*spans):
            (low, high), (first, end) = ((a - s, b - s) for (a, b), (s, _) in ((own_y, seen_y), (own_x, seen_x)))
            answer = self._answer(view.part((*seen_y, *seen_x)), (low, high, first, end))[..., low:high, first:end]
            fused[..., own_y[0] - top : own_y[1] - top, own_x[0] - left : own_x[1] - left] = answer
        return fused

    def _answer(self, view: View, wanted: Core | None = None) -> Tensor:
        """The fused pixels of a view, by one prediction of the objective; whatever it may be around what is wanted."""
        batch = self._batch(view)
        answer = self._predict(batch, wanted).to(batch.ms_up.dtype)
        residual = self.network.predicts == "residual"
        return batch.ms_up + batch.unit * answer if residual else self.transform.inverse_ms(answer)

    def _predict(self, batch: Batch, wanted: Core | None = None) -> Tensor:
        """One prediction, of an image grown by reflection to the multiples that the network asks for."""
        height, width = batch.ms_up.shape[-2:]
        down, across = self._cell(batch.pair.ratio)
        if height % down or width % across:
            batch = _grown(batch, (-height % down, -width % across))
        noise = Noise(self.seed, batch.pair.origin)  # the same at every call, on every device and in every tile
        asked: Network = self.engine or self.network
        if self.engine and wanted and self.evaluations == 1:
            asked = self.engine.within(wanted)
        return self.objective.predict(asked, batch, noise)[..., :height, :width]

    def _check(self, pair: Pair) -> None:
        """Refuses pairs for which the network was not made."""
        made = {"ratio": 4, **self.recipe["network"]}
        if made.get("bands", pair.bands) != pair.bands:
            raise InputError(
                f"the model was made for {made['bands']} bands and the scene has {pair.bands}: choose its bands, or "
                "another model"
            )
        if "ms" in self.network.inputs and any(round(r) != made["ratio"] for r in pair.ratio):
            raise InputError(
                f"the model was made for a ratio of {made['ratio']} and the scene has {pair.ratio[0]:g} x "
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

    def save(self, out: str | Path | Output, **info: Any) -> None:
        """Weights, the transform's tables and what there is to tell, as safetensors; a file that has a plain name is
        replaced. InputError where a weight is not finite, OutputError where the file cannot be written."""
        tensors = {f"network.{k}": v.contiguous().cpu() for k, v in self.network.state_dict().items()}
        tensors |= {f"transform.{k}": v.contiguous().cpu() for k, v in self.transform.state_dict().items()}
        require_finite(tensors, "the model")
        told = {"panflow": __version__, "licence": "Apache-2.0", **self.info, **info}
        sensor = None if self.sensor is None else asdict(self.sensor)
        texts = {"recipe": self.recipe, "info": told, "sensor": sensor}
        data = save(tensors, {key: json.dumps(value) for key, value in texts.items()})
        with out if isinstance(out, Output) else Output(out, overwrite=True) as output:
            output.write(data)

    @classmethod
    def open(
        cls, path: str | Path, device: str | torch.device = "cpu", context: int | None = None, seed: int = 0
    ) -> Self:
        """The model of a file that `save` wrote. Raises InputError where it is something else."""
        try:
            with safe_open(path, "pt") as file:
                told = {key: json.loads(value) for key, value in (file.metadata() or {}).items()}
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except (SafetensorError, json.JSONDecodeError) as error:
            raise InputError(f"{path} is no model file: expected safetensors made by panflow ({error})") from None
        if "recipe" not in told:
            raise InputError(f"{path} holds no recipe: expected a model made by `panflow train` or `panflow import`")
        made = build(told["recipe"])
        take(made.network, _under("network.", tensors), f"model file {path}")
        take_tables(made.transform, _under("transform.", tensors), f"model file {path}")
        sensor = _sensor(told["sensor"]) if told.get("sensor") else None
        parts = made.network, made.transform, made.objective, made.recipe, told["info"], sensor
        return cls(*parts, context=context, seed=seed).to(device)


def build(recipe: Mapping[str, Any], info: dict[str, Any] | None = None, sensor: Sensor | None = None) -> Model:
    """A model of fresh weights from a recipe's sections network, transform and objective.

    Raises UnknownName for names and options that do not exist.
    """
    sections: dict[str, Any] = {kind: dict(recipe[kind]) for kind in ("network", "transform", "objective")}
    network = _make("networks", "Network", sections["network"])
    network.eval()
    transform = _make("transforms", "Transform", sections["transform"])
    objective = _objective(**sections["objective"])
    sections |= {key: recipe[key] for key in ("phase", "consistency") if recipe.get(key) is not None}
    return Model(network, transform, objective, sections, info or {}, sensor)


def _make(kind: str, part: str, section: dict[str, Any]) -> Any:
    options = dict(section)
    name = options.pop("name")
    made = getattr(registry.get(kind, name), part)
    known = tuple(p for p in inspect.signature(made).parameters if p != "self")
    for key in options:
        registry.closest(f"option of {kind} {name}", key, known)
    return made(**options)


def _objective(name: str, **options: Any) -> Any:
    module = registry.get("objectives", name)
    return module.Objective(module.Options.of(**options))


def crop(batch: Batch, rows: slice, columns: slice) -> Batch:
    """A window of a batch on the PAN grid, which starts at multiples of the ratio; MS is cut in step."""
    pair, fine = batch.pair, batch.pair.size
    coarse = inputs.coarse(fine, pair.ratio)
    below, beside = (
        slice(round(s.start / r), ceil(min(s.stop, n) / r)) for s, r, n in zip((rows, columns), pair.ratio, fine)
    )

    def cut(image: Any) -> Any:
        if image is None or image.shape[-2:] not in (fine, coarse):
            return image
        return image[..., rows, columns] if image.shape[-2:] == fine else image[..., below, beside]

    part = _each(batch, cut)
    origin = pair.origin[0] + rows.start, pair.origin[1] + columns.start
    return replace(part, pair=replace(part.pair, origin=origin))


def _spans(
    low: int, high: int, side: int, reach: int, size: int, cell: int
) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Nearly equal stretches of low..high of about `side`, and for each what it sees: `reach` more on both sides,
    beginning and ending on whole cells, within 0..size."""
    step = ceil((high - low) / ceil((high - low) / side) / cell) * cell
    found = []
    for first in range(low, high, step):
        end = min(first + step, high)
        seen = max(0, (first - reach) // cell * cell), min(size, ceil((end + reach) / cell) * cell)
        found.append(((first, end), seen))
    return found


def _grown(batch: Batch, more: tuple[int, int]) -> Batch:
    """The batch with so many reflected pixels more at the bottom and on the right, MS in step with PAN."""
    pair, fine = batch.pair, batch.pair.size
    coarse = inputs.coarse(fine, pair.ratio)
    extra = [a - b for a, b in zip(inputs.coarse((fine[0] + more[0], fine[1] + more[1]), pair.ratio), coarse)]

    def grow(image: Any) -> Any:
        if image is None or image.dtype == torch.bool or image.shape[-2:] not in (fine, coarse):
            return image
        down, across = more if image.shape[-2:] == fine else extra
        return pad(image, (0, across, 0, down), mode="reflect")

    return _each(batch, grow)


def _each(batch: Batch, change: Callable[[Any], Any]) -> Batch:
    """The batch with every image changed."""
    pair = batch.pair
    images = ("pan", "ms", "pan_valid", "ms_valid", "reference")
    seen: Any = {name: change(getattr(pair, name)) for name in images} | {"core": None}
    named = {name: change(image) for name, image in batch.inputs.items()}
    return replace(
        batch, pair=replace(pair, **seen), inputs=named, ms_up=change(batch.ms_up), target=change(batch.target)
    )


def grid(ratio: YX, multiple: int) -> tuple[int, int] | None:
    """Where windows may start, in PAN pixels; None where the ratio is no integer."""
    y, x = (round(r) for r in ratio)
    return None if max(abs(ratio[0] - y), abs(ratio[1] - x)) > 1e-6 else (lcm(multiple, y), lcm(multiple, x))


def _best() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _sensor(told: dict[str, Any]) -> Sensor:
    bands, pan = tuple(Band(**band) for band in told["bands"]), Band(**told["pan"])
    return Sensor(**{**told, "bands": bands, "pan": pan, "haze": tuple(told["haze"])})


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _moved(part: Any, device: str | torch.device) -> Any:
    return part.to(device) if isinstance(part, nn.Module) else part
