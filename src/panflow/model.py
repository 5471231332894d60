"""Model: a transform, a network and an objective make a sharpener; one file holds them all.

fused = ms_up + unit * answer for networks that predict the residual, the inverse transform of the answer for
those that predict the image. Training and use share `Model.batch`, so what surrounds a network is written once.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from math import ceil, lcm
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.functional import pad

from panflow import __version__, inputs, registry
from panflow.arrays import is_torch
from panflow.errors import InputError
from panflow.inputs import Gather, Statistics, View
from panflow.types import YX, Array, Batch, Objective, Pair, Sensor

BLOCK = 256  # PAN pixels that a local network sees at once on either side: what stays in a CPU's cache


@dataclass(frozen=True)
class Model:
    """A sharpener that was learned. `recipe`: the sections network, transform and objective, each with `name` and
    options; `info`: data sources, licence, scores and whatever else the file tells."""

    network: nn.Module
    transform: Any
    objective: Objective
    recipe: dict[str, Any]
    info: dict[str, Any] = field(default_factory=dict)
    sensor: Sensor | None = None
    statistics: Statistics | None = None

    @property
    def device(self) -> torch.device:
        return next(iter(self.network.parameters())).device

    def to(self, device: str | torch.device) -> Self:
        return replace(self, network=self.network.to(device), transform=_moved(self.transform, device))

    def halo(self, ratio: YX) -> int | None:
        """PAN pixels around a tile: what the inputs look at and what the network looks at."""
        reach = self.network.halo
        return None if reach is None else inputs.halo(ratio) + reach

    def fit(self, scene: Iterable[Pair]) -> Self:
        """A copy that knows the scene: the transform's tables and the statistics of bands and PAN."""
        gather = Gather(self._tensors(pair) for pair in scene)
        transform = self.transform.fit(gather)
        return replace(self, transform=_moved(transform, self.device), statistics=gather.finish())

    def batch(self, pair: Pair) -> Batch:
        """The pair, which is a part of the scene that was fitted, as the network sees it."""
        if self.statistics is None:
            raise InputError("the model knows nothing of the scene yet: call fit([pair]) first")
        pair = self._tensors(pair)
        unit = self.transform.unit().to(pair.ms)
        view = View(pair, self.transform, self.statistics, unit)
        named = {name: getattr(view, name) for name in self.network.inputs}
        target = None
        if pair.reference is not None:
            residual = self.network.predicts == "residual"
            target = (pair.reference - view.counts) / unit if residual else self.transform.ms(pair.reference)
        return Batch(pair, named, view.counts, unit, target)

    def __call__(self, pair: Pair) -> Array:
        """The fused image [B, C, H, W] in the sensor's own counts, of the kind that the pair has."""
        with torch.inference_mode():
            batch = self.batch(pair)
            answer = self._answer(batch).to(batch.ms_up.dtype)
            residual = self.network.predicts == "residual"
            fused = batch.ms_up + batch.unit * answer if residual else self.transform.inverse_ms(answer)
        return fused.to(pair.ms) if is_torch(pair.ms) else fused.cpu().numpy().astype(pair.ms.dtype)

    def _answer(self, batch: Batch) -> Tensor:
        """The objective's prediction; large images in blocks where the network is local."""
        height, width = batch.pair.size
        reach, grid = self.network.halo, _grid(batch.pair.ratio, self.network.multiple)
        if reach is None or grid is None or max(height, width) <= BLOCK + 2 * reach:
            return self._predict(batch)
        answer = torch.empty_like(batch.ms_up)
        (down, across), margin = (ceil(BLOCK / g) * g for g in grid), [ceil(reach / g) * g for g in grid]
        for top in range(0, height, down):
            for left in range(0, width, across):
                y, x = max(0, top - margin[0]), max(0, left - margin[1])
                rows, columns = slice(y, top + down + margin[0]), slice(x, left + across + margin[1])
                own = self._predict(crop(batch, rows, columns))[..., top - y :, left - x :][..., :down, :across]
                answer[..., top : top + down, left : left + across] = own
        return answer

    def _predict(self, batch: Batch) -> Tensor:
        """One prediction, of an image grown by reflection to the multiple that the network asks for."""
        height, width = batch.ms_up.shape[-2:]
        multiple = self.network.multiple
        if height % multiple or width % multiple:
            batch = _grown(batch, multiple)
        rng = torch.Generator(self.device).manual_seed(0)  # a sampler's noise is the same at every call
        return self.objective.predict(self.network, batch, rng)[..., :height, :width]

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

    def save(self, path: str | Path, **info: Any) -> None:
        """Weights, the transform's tables and what there is to tell, as safetensors; written whole or not at all."""
        tensors = {f"network.{k}": v.contiguous().cpu() for k, v in self.network.state_dict().items()}
        tensors |= {f"transform.{k}": v.contiguous().cpu() for k, v in _state(self.transform).items()}
        told = {"panflow": __version__, "licence": "Apache-2.0", **self.info, **info}
        sensor = None if self.sensor is None else asdict(self.sensor)
        texts = {"recipe": self.recipe, "info": told, "sensor": sensor}
        data = save(tensors, {key: json.dumps(value) for key, value in texts.items()})
        path = Path(path)
        part = path.with_name(path.name + ".part")
        part.write_bytes(data)
        part.replace(path)

    @classmethod
    def open(cls, path: str | Path, device: str | torch.device = "cpu") -> Self:
        """The model of a file that `save` wrote. Raises InputError where it is something else."""
        try:
            with safe_open(path, "pt") as file:
                told = {key: json.loads(value) for key, value in (file.metadata() or {}).items()}
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except (SafetensorError, json.JSONDecodeError) as error:
            raise InputError(f"{path} is no model file: expected safetensors made by panflow ({error})") from None
        if "recipe" not in told:
            raise InputError(f"{path} holds no recipe: expected a model made by `panflow train` or `panflow import`")
        model = build(told["recipe"], info=told["info"])
        model.network.load_state_dict(_under("network.", tensors))
        if isinstance(model.transform, nn.Module):
            model.transform.load_state_dict(_under("transform.", tensors))
        return model.to(device)


def build(recipe: Mapping[str, Any], info: dict[str, Any] | None = None) -> Model:
    """A model of fresh weights from a recipe's sections network, transform and objective.

    Raises UnknownName for names and options that do not exist.
    """
    sections = {kind: dict(recipe[kind]) for kind in ("network", "transform", "objective")}
    network = _make("networks", "Network", sections["network"])
    network.eval()
    transform = _make("transforms", "Transform", sections["transform"])
    return Model(network, transform, _make("objectives", "Objective", sections["objective"]), sections, info or {})


def _make(kind: str, part: str, section: dict[str, Any]) -> Any:
    options = dict(section)
    name = options.pop("name")
    made = getattr(registry.get(kind, name), part)
    known = tuple(p for p in inspect.signature(made).parameters if p != "self")
    for key in options:
        registry.closest(f"option of {kind} {name}", key, known)
    return made(**options)


def crop(batch: Batch, rows: slice, columns: slice) -> Batch:
    """A window of a batch on the PAN grid, which starts at a multiple of the ratio; MS is cut in step."""
    pair, size = batch.pair, batch.pair.size
    coarse = tuple(
        slice(round(s.start / r), ceil(min(s.stop, n) / r)) for s, r, n in zip((rows, columns), pair.ratio, size)
    )

    def cut(image: Tensor | None) -> Tensor | None:
        if image is None or image.shape[-2:] not in (size, pair.ms_size):
            return image
        return image[(..., rows, columns) if image.shape[-2:] == size else (..., *coarse)]

    parts = {name: cut(getattr(pair, name)) for name in ("pan", "ms", "pan_valid", "ms_valid", "reference")}
    return replace(
        batch,
        pair=replace(pair, core=None, **parts),
        inputs={name: cut(image) for name, image in batch.inputs.items()},
        ms_up=cut(batch.ms_up),
        target=cut(batch.target),
    )


def _grid(ratio: YX, multiple: int) -> tuple[int, int] | None:
    """Where windows may start, in PAN pixels; None where the ratio is no integer."""
    whole = [round(r) for r in ratio]
    return None if any(abs(r - n) > 1e-6 for r, n in zip(ratio, whole)) else tuple(lcm(multiple, n) for n in whole)


def _grown(batch: Batch, multiple: int) -> Batch:
    """The batch with reflected pixels at the bottom and on the right, MS in step with PAN."""
    pair, size = batch.pair, batch.pair.size
    grid = _grid(pair.ratio, multiple) or (multiple, multiple)
    more = [-n % g for n, g in zip(size, grid)]
    extra = [round((n + m) / r) - k for n, m, r, k in zip(size, more, pair.ratio, pair.ms_size)]

    def grow(image: Tensor | None) -> Tensor | None:
        if image is None or image.shape[-2:] not in (size, pair.ms_size):
            return image
        down, across = more if image.shape[-2:] == size else extra
        return pad(image, (0, across, 0, down), mode="reflect")

    parts = {name: grow(getattr(pair, name)) for name in ("pan", "ms", "reference")}
    named = {name: grow(image) for name, image in batch.inputs.items()}
    return replace(batch, pair=replace(pair, **parts), inputs=named, ms_up=grow(batch.ms_up), target=None)


def _state(part: Any) -> dict[str, Tensor]:
    return part.state_dict() if isinstance(part, nn.Module) else {}


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _moved(part: Any, device: str | torch.device) -> Any:
    return part.to(device) if isinstance(part, nn.Module) else part
