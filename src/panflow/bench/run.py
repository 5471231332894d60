"""Running a plan: what is missing is sharpened, measured and written down; then come the tables and the report."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from panflow import __version__, zoo
from panflow.assessment import measure
from panflow.bench import images, meter, page, pictures, plots
from panflow.bench import plan as plans
from panflow.bench.images import Image
from panflow.bench.ledger import Ledger, Result, key
from panflow.bench.plan import Method, Plan, essence
from panflow.bench.table import label
from panflow.files import output
from panflow.indices._case import Case, Index
from panflow.indices._sets import load as load_index
from panflow.ops.fill import fill
from panflow.ops.mtf import with_mtf
from panflow.types import Pair, Sharpener

ROOM = 2**30  # bytes of pairs that stay in memory
Work = list[tuple[Method, Image, str]]


def benchmark(
    plan: str | Path | Plan,
    out: str | Path,
    *,
    data: str | Path | None = None,
    rehearse: bool = False,
    overrides: Sequence[str] = (),
    device: str = "auto",
    tell: Callable[[str], None] = lambda _: None,
) -> Path:
    """Runs a plan (a bundled name, a file or a Plan) into the folder `out`; returns the path of its report.html.

    The folder gets plan.json (resolved), results.jsonl (one line a result), models/, pictures/, tables/, report.html.
    Called again it does what is missing: nothing is computed twice, nothing that was measured is lost. data: the folder
    of its images (the plan's `root`); rehearse: on small data with small budgets; tell: hears of every step.

    Raises UnknownName or InputError where the plan does not hold, MissingInput where data are absent, MissingExtra
    without matplotlib.
    """
    settings, folder = plans.load(plan, overrides, rehearse), Path(out)
    plots.require()
    root = Path(data or settings.root)
    with output.claimed(output.folder(folder)):
        output.write(folder / "plan.json", json.dumps(settings.dump(), indent=1))
        ledger = Ledger(folder)
        work = _work(settings, root)
        _run(settings, work, ledger, root, folder, device, tell)
        return page.write(settings, [(method, ledger.results[k]) for method, _, k in work], root, folder)


def _work(settings: Plan, root: Path) -> Work:
    """Every method with every image that it can serve, and the key of the result."""
    sets = [(data, list(images.load(data, root, settings.seed))) for data in settings.data]
    indices = [[label(column), essence(replace(column, label="", digits=3))] for column in settings.indices]
    return [
        (method, image, key(_spec(settings, method), image.spec, indices, settings.repeats))
        for method in settings.methods
        for data, members in sets
        if not method.only or data.name in method.only
        for image in members
    ]


def _spec(settings: Plan, method: Method) -> list[Any]:
    """What a method's answers depend on; of a model file, its size and time."""
    file = Path(method.name)
    state = [file.stat().st_size, file.stat().st_mtime_ns] if file.suffix == ".safetensors" and file.is_file() else []
    grounds = [essence(ground) for ground in settings.ground] if method.train else []
    mtf = [method.mtf] if method.mtf else []
    return [method.name, method.options, method.train, settings.seed, grounds, state, *mtf]


def _run(settings: Plan, work: Work, ledger: Ledger, root: Path, folder: Path, device: str, tell: Callable) -> None:
    missing = [(method, image, k) for method, image, k in work if k not in ledger.results]
    tell(f"{len(work) - len(missing)} of {len(work)} results are there")
    indices = {label(column): (load_index(column.index, **column.options), column.cut) for column in settings.indices}
    pairs = _Pairs()
    current: tuple[str, Any] = ("", None)
    for number, (method, image, k) in enumerate(missing, 1):
        if k in ledger.results:  # two rows of the same method
            continue
        if current[0] != method.label:
            current = (method.label, _sharpener(settings, method, root, folder, device, tell))
        result = _result(settings, method, image, k, current[1], pairs.of(image), indices, folder)
        ledger.add(result)
        tell(f"{number}/{len(missing)}  {method.label}  {image.data}  {image.name}  {image.protocol}")


class _Pairs:
    """Pairs of images, the first ones kept for the next method."""

    def __init__(self) -> None:
        self._kept: dict[Image, Pair] = {}
        self._room = ROOM

    def of(self, image: Image) -> Pair:
        if image in self._kept:
            return self._kept[image]
        pair = image.make()
        self._room -= sum(x.nbytes for x in (pair.pan, pair.ms, pair.reference) if x is not None)
        if self._room > 0:
            self._kept[image] = pair
        return pair


def _result(
    settings: Plan,
    method: Method,
    image: Image,
    k: str,
    sharpener: Sharpener,
    pair: Pair,
    indices: dict[str, tuple[Index, int]],
    folder: Path,
) -> Result:
    evaluations = sharpener.evaluations

    def run() -> Any:
        given = with_mtf(pair, method.mtf, used=sharpener.uses_mtf) if method.mtf else pair
        return sharpener.fit([given])(given)

    fused, seconds, memory = meter.measure(run, settings.repeats)
    case = Case(fill(fused, pair.pan_valid), pair.sensor, pair.ratio, pair.reference, pair, pair.pan_valid)
    needs = "pair" if image.protocol == "full" else "reference"
    values: dict[str, float] = {}
    for cut in {cut for _, cut in indices.values()}:
        chosen = {name: index for name, (index, c) in indices.items() if c == cut and index.needs == needs}
        values |= {name: float(value[0]) for name, value in measure(case, chosen, cut).items()}
    if image.number < settings.pictures:
        pictures.save(folder, k, image, case)
    finite = {name: value if math.isfinite(value) else None for name, value in values.items()}
    return Result(
        key=k,
        method=method.label,
        data=image.data,
        image=image.name,
        protocol=image.protocol,
        indices={name: finite[name] for name in indices if name in finite},
        seconds=round(seconds, 6),
        evaluations=evaluations,
        memory=round(memory, 1),
        seed=settings.seed,
        tags=method.tags,
        environment=_environment(sharpener, evaluations),
    )


def _environment(sharpener: Any, evaluations: int) -> dict[str, Any]:
    """When and by what a result was computed."""
    environment: dict[str, Any] = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "panflow": __version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
    }
    if evaluations:
        environment["device"] = str(sharpener.device or "cpu, by ONNX Runtime")
    if evaluations and sharpener.device:
        import torch

        environment["torch"] = torch.__version__
        environment["threads"] = torch.get_num_threads()
    return environment


def _sharpener(settings: Plan, method: Method, root: Path, folder: Path, device: str, tell: Callable) -> Sharpener:
    if not method.train:
        return zoo.load(method.name, device=device, **method.options)
    return zoo.load(_trained(settings, method, root, folder, device, tell), device=device)


def _trained(settings: Plan, method: Method, root: Path, folder: Path, device: str, tell: Callable) -> Path:
    """The model of a method's recipe, trained where that has not been done; trained.json stands where it is whole."""
    from panflow.training import recipe as recipes
    from panflow.training.loop import WEIGHTS, train

    name = "".join(c if c.isalnum() else "-" for c in method.label.lower())
    target = folder / "models" / f"{name}-{key(_spec(settings, method))[:8]}"
    if (target / "trained.json").is_file():
        return target / WEIGHTS
    values = dict(method.train)
    images.write_ground(settings, root, folder / "ground")
    below = folder / "ground" if settings.ground else root / values.get("data", {}).get("root", "")
    values["data"] = {**values.get("data", {}), "root": str(below)}
    values["validation"] = {"every": 0}
    values["run"] = {"seed": settings.seed, **values.get("run", {})}
    recipe = recipes.typed(values)
    tell(f"training {method.label}, {recipe.run.steps} steps")
    model, seconds, _ = meter.measure(lambda: train(recipe, target, device=device, progress=False))
    output.write(target / "trained.json", json.dumps({"seconds": round(seconds, 1), "steps": recipe.run.steps}))
    (target / "checkpoint.pt").unlink(missing_ok=True)
    return model
