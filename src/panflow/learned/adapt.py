"""A model tuned to the scene at hand, at full resolution, where there is no truth.

The fused image x has to agree with both measurements. With D the MS sensor's optics and sampling, m the MS bands, s
their standard deviations, P PAN and c_w(a, b) the correlation of a and b in a window of half-width w:

    L = mean |D x - m| / s + WEIGHT mean X [X > T],   X = 1 - max(c_2(x, P), -1),   T = 1 - c_8(P_L, m_up),

P_L: PAN through the MTF of the band, m_up: the band interpolated. T, fixed from the inputs, says how much band and PAN
have in common: detail of PAN is asked for only as far as the inputs themselves agree [ciotola2022]. The steps stop
where the first term leaves where it began [guarino2024].
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch.nn.functional import avg_pool2d

from panflow.errors import InputError
from panflow.files.output import Output
from panflow.learned.model import Model
from panflow.learned.weights import digest
from panflow.ops.kernels import TAPS
from panflow.ops.resample import sense
from panflow.ops.window import Core, grown, window
from panflow.types import YX, Array, Batch, Network, Pair, Progress, Sharpener

WEIGHT = 0.1  # of the structural term
NARROW, BROAD = 2, 8  # half-widths of the windows of X and T, PAN pixels
PATCHES, SIDE = 16, 128  # how many patches are learned from, and their PAN pixels a side
RATE = 5e-4  # of Adam
SLACK = 1.02  # by how much the MS term may exceed that of the start
FORMAT = "panflow_adapter"  # key of an adapter file's metadata


@dataclass(frozen=True)
class _Patch:
    """A place of the scene as the network sees it. threshold: T [1, C, H, W]; valid: PAN pixels that count, and
    ms_valid: MS pixels whose optics see nothing but the patch, [1, 1, h, w]."""

    batch: Batch
    deviation: Tensor
    threshold: Tensor
    valid: Tensor
    ms_valid: Tensor


def tune(
    model: Model,
    scene: Iterable[Pair],
    seconds: float,
    *,
    seed: int = 0,
    rounds: int | None = None,
    progress: Progress | None = None,
) -> Model:
    """A copy of a model, which was fitted to the scene, with what its network declares as `tuned` adapted to it.

    scene: pairs whose cores tile it; seconds: of all of this, at most; rounds: over the patches, at most (None: as many
    as there is time for). The best of what was tried is kept, the model as it came among it. progress: called
    with "adapt", seconds gone and of how many, and the terms of MS and of PAN as they are and as they were.

    Raises InputError where the network sees the whole image or samples in several steps.
    """
    started = time.perf_counter()
    if model.prediction_halo is None or model.evaluations != 1:
        raise InputError("only a network that looks at a part of the image, once, can be adapted to a scene")
    tuned = replace(model, network=deepcopy(model.network), backend=None)
    parameters = [p for name, p in tuned.network.named_parameters() if _is_tuned(tuned.network, name)]
    for parameter in tuned.network.parameters():
        parameter.requires_grad_(False)
    for parameter in parameters:
        parameter.requires_grad_(True)
    patches = _patches(tuned, scene, seed)
    if not patches:
        raise InputError("the scene offers nothing to adapt to: too small, or without valid pixels")
    optimiser = torch.optim.Adam(parameters, RATE)
    rng = np.random.default_rng(seed)

    start = best = score = _score(tuned, patches)
    kept = _state(tuned.network)

    def tell(gone: float) -> None:
        if progress:
            ms, pan = (f"{now:.4f} (was {was:.4f})" for now, was in zip(score, start))
            progress("adapt", min(int(gone), int(seconds)), int(seconds), note=f"MS {ms}, PAN {pan}")

    tell(time.perf_counter() - started)
    beyond = done = 0
    while beyond < 2 and done != rounds and time.perf_counter() - started < seconds:
        for k in rng.permutation(len(patches)):
            optimiser.zero_grad(set_to_none=True)
            spectral, structural = _terms(tuned, patches[k])
            (spectral + WEIGHT * structural).backward()
            optimiser.step()
            gone = time.perf_counter() - started
            tell(gone)
            if gone > seconds:
                break
        done += 1
        score = _score(tuned, patches)
        if score[0] > SLACK * start[0]:
            beyond += 1
        elif sum(score) < sum(best):
            best, kept = score, _state(tuned.network)
    tuned.network.load_state_dict({**tuned.network.state_dict(), **kept})
    for parameter in tuned.network.parameters():
        parameter.requires_grad_(True)
    info = {
        **model.info,
        "adapted": {"before": start, "after": best, "seconds": round(time.perf_counter() - started, 1)},
    }
    return replace(tuned, info=info)


@dataclass(frozen=True)
class Adapting(Sharpener):
    """A model that `fit` adapts to the scene within so many seconds. runtime: the inference backend that it gets
    afterwards; output: the adapter's file, None: none."""

    model: Model
    seconds: float
    runtime: str = "torch"
    output: Output | None = None
    progress: Progress | None = None

    costly = True
    uses_mtf = True

    @property
    def evaluations(self) -> int:
        return self.model.evaluations

    def halo(self, ratio: YX) -> int | None:
        return self.model.halo(ratio)

    def memory(self, bands: int, ratio: YX) -> float:
        return self.model.memory(bands, ratio)

    def cell(self, ratio: YX) -> int:
        return self.model.cell(ratio)

    def fit(self, scene: Iterable[Pair]) -> Sharpener:  # type: ignore[override]
        """The model, fitted and adapted."""
        fitted = tune(self.model.fit(scene), scene, self.seconds, seed=self.model.seed, progress=self.progress)
        if self.output:
            self.output.write(packed(fitted, self.model))
        return fitted.on(self.runtime)

    def with_state(self, state: Mapping[str, Any]) -> Sharpener:  # type: ignore[override]
        raise InputError("a model is adapted to the scene itself: expected no fit of another one with it")

    def __call__(self, pair: Pair) -> Array:
        raise InputError("the model is not adapted to the scene yet: call fit([pair]) first")


def packed(model: Model, base: Model) -> bytes:
    """An adapter's file: what tuning has changed, as safetensors whose metadata name the model that it belongs to."""
    metadata = {FORMAT: json.dumps({"base": digest(base.network), **model.info.get("adapted", {})})}
    return save({name: value.contiguous().cpu() for name, value in _state(model.network).items()}, metadata)


def apply(model: Model, path: str | Path) -> Model:
    """A copy of the model with an adapter's weights. Raises InputError where the file is none, or another model's."""
    try:
        with safe_open(path, "pt") as file:
            metadata = json.loads((file.metadata() or {})[FORMAT])
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, json.JSONDecodeError, OSError) as error:
        raise InputError(f"{path} is no adapter: expected a file of --save-adapter ({error})") from None
    if metadata["base"] != digest(model.network):
        raise InputError(f"{path} was made for another model: expected the one that it was tuned from")
    network = deepcopy(model.network)
    network.load_state_dict({**network.state_dict(), **weights})
    return replace(model, network=network.to(model.device), backend=None)


def _is_tuned(network: Network, name: str) -> bool:
    return not network.tuned or name.split(".")[0] in network.tuned


def _state(network: Network) -> dict[str, Tensor]:
    """A copy of the weights that are tuned."""
    return {name: p.detach().clone() for name, p in network.named_parameters() if _is_tuned(network, name)}


def _score(model: Model, patches: list[_Patch]) -> tuple[float, float]:
    """The two terms' means over the patches, the second weighted."""
    with torch.no_grad():
        terms = [_terms(model, patch) for patch in patches]
    spectral, structural = (float(np.mean([float(t[k]) for t in terms])) for k in (0, 1))
    return spectral, WEIGHT * structural


def _terms(model: Model, patch: _Patch) -> tuple[Tensor, Tensor]:
    """mean |D x - m| / s, and mean X [X > T]."""
    batch = patch.batch
    x = batch.ms_up + batch.unit * model.objective.predict(model.network, batch).to(batch.ms_up)
    x = model.matched(x, batch.pair)
    missing = (sense(x, batch.pair) - batch.pair.ms).abs() / patch.deviation
    spectral = _mean(missing, patch.ms_valid)
    unlike = 1 - _correlation(x, batch.pair.pan, NARROW).clamp_min(-1)
    return spectral, _mean(unlike * (unlike > patch.threshold), patch.valid)


def _mean(values: Tensor, valid: Tensor) -> Tensor:
    return (values * valid).sum() / (valid.sum() * values.shape[1]).clamp_min(1)


def _correlation(a: Tensor, b: Tensor, half: int) -> Tensor:
    """Local correlation of images [B, C, H, W] and [B, 1 or C, H, W] in windows of 2 half + 1 pixels."""
    side = 2 * half + 1

    def local(image: Tensor) -> Tensor:
        return avg_pool2d(image, side, 1, half, count_include_pad=False)

    def centred(image: Tensor) -> Tensor:
        return (image - image.mean((2, 3), keepdim=True)) / image.std((2, 3), keepdim=True).clamp_min(1e-6)

    a, b = centred(a), centred(b)
    mean_a, mean_b = local(a), local(b)
    var_a, var_b = local(a * a) - mean_a**2, local(b * b) - mean_b**2
    covariance = local(a * b) - mean_a * mean_b
    return covariance / (var_a.clamp_min(1e-6) * var_b.clamp_min(1e-6)).sqrt()


def _patches(model: Model, scene: Iterable[Pair], seed: int) -> list[_Patch]:
    """The places to learn from: at most PATCHES, drawn where PAN shows much, all over the scene."""
    rng = np.random.default_rng(seed)
    drawn: list[tuple[float, Pair]] = []
    for pair in scene:
        windows = [(contrast * float(np.sqrt(rng.random())), core) for contrast, core in _windows(pair)]
        best = sorted(windows, reverse=True)[:PATCHES]
        drawn += [(rank, window(replace(pair, core=None), *core, model.halo(pair.ratio))) for rank, core in best]
        drawn = sorted(drawn, key=lambda d: -d[0])[:PATCHES]
    with torch.no_grad():
        patches = [_patch(model, pair) for _, pair in drawn]
    return [patch for patch in patches if patch.ms_valid.any()]


def _windows(pair: Pair) -> Iterator[tuple[float, Core]]:
    """Windows of a pair's core that are mostly valid, and the contrast of PAN's detail in them."""
    top, bottom, left, right = pair.core or (0, pair.size[0], 0, pair.size[1])
    pan = torch.as_tensor(np.asarray(pair.pan) if not isinstance(pair.pan, Tensor) else pair.pan).float().cpu()
    fine = (pan - avg_pool2d(pan, 9, 1, 4, count_include_pad=False)).abs()
    rows, columns = (max(1, (high - low) // SIDE) for low, high in ((top, bottom), (left, right)))
    for i in range(rows):
        for j in range(columns):
            y, x = top + i * SIDE, left + j * SIDE
            core = y, min(y + SIDE, bottom), x, min(x + SIDE, right)
            inside = (..., slice(*core[:2]), slice(*core[2:]))
            if min(core[1] - core[0], core[3] - core[2]) >= SIDE // 2 and (
                pair.pan_valid is None or bool(pair.pan_valid[inside].all())
            ):
                yield float(fine[inside].median()), core


def _patch(model: Model, pair: Pair) -> _Patch:
    """The core of a pair, and around it what the network looks at."""
    core = cast(Core, pair.core)
    outer = grown(core, model.network.halo or 0, pair.size)
    view = model._view(replace(pair, core=None)).part(outer)
    batch, pair = model._batch(view), view.pair
    threshold = 1 - _correlation(view.counts, view.pan_smoothed, BROAD)
    valid = torch.zeros(1, 1, *pair.size, dtype=torch.bool, device=view.counts.device)
    valid[..., core[0] - outer[0] : core[1] - outer[0], core[2] - outer[2] : core[3] - outer[2]] = True
    if pair.pan_valid is not None:
        valid &= pair.pan_valid
    rows, columns = (
        torch.as_tensor(
            [
                all(TAPS // 2 <= p[axis] + k * pair.ratio[axis] < pair.size[axis] - TAPS // 2 for p in pair.phase)
                for k in range(pair.ms_size[axis])
            ]
        )
        for axis in (0, 1)
    )
    ms_valid = (rows[:, None] & columns[None, :])[None, None].to(valid.device)
    if pair.ms_valid is not None:
        ms_valid = ms_valid & pair.ms_valid
    return _Patch(batch, batch.unit, threshold, valid, ms_valid)


__all__ = ["Adapting", "apply", "digest", "packed", "tune"]
