"""What once broke panflow, made anew of drawn inputs: commands, and what is done to the files that they read before."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
from affine import Affine
from safetensors import safe_open
from safetensors.torch import save_file

from panflow.learned.file import build

SHARPEN = "sharpen pan.tif ms.tif o.tif -q --jobs 1 -m "
IMPORT = "import net.pth --network pnn --bands 4 --bits 11 --out o.safetensors"
BENCH = "bench p.toml --out run -q"
TRAIN = "train r.toml --out run -q --device cpu"
VRT = """<VRTDataset rasterXSize="{size}" rasterYSize="{size}"><VRTRasterBand dataType="UInt16" band="1"><SimpleSource>
<SourceFilename relativeToVRT="1">{source}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"""
RECIPE = """network = { name = "pnn", bands = 4 }
transform = { name = "scale" }
objective = { name = "regression" }
"""
PLAN = """title = "t"
indices = [{{ index = "sam" }}]
methods = [{{ label = "exp", name = "exp", options = {{ {} }} }}]
data = [{{ name = "d", sensor = "ikonos", size = 64, {} }}]
"""
Change = Callable[[Path], Any]


def raster(name: str, change: Callable = lambda image: image, **profile: Any) -> Change:
    """A file's pixels and profile are changed."""

    def apply(place: Path) -> None:
        with rasterio.open(place / name) as file:
            image, kept = change(file.read()), dict(file.profile)
        with rasterio.open(place / name, "w", **{**kept, "dtype": image.dtype, "predictor": 1, **profile}) as file:
            file.write(image)

    return apply


def data(name: str, change: Callable[[bytes], bytes]) -> Change:
    return lambda place: (place / name).write_bytes(change((place / name).read_bytes()))


def text(name: str, content: str) -> Change:
    return lambda place: (place / name).write_text(content)


def model(weights: Callable = lambda weight: weight, **recipe: Any) -> Change:
    """The weights of the model file, each of them, or values of its recipe, are changed."""

    def apply(place: Path) -> None:
        with safe_open(place / "m.safetensors", "pt") as file:
            texts, tensors = file.metadata(), {key: weights(file.get_tensor(key)) for key in file.keys()}  # noqa: SIM118
        kept = {key: value for key, value in tensors.items() if value is not None}
        save_file(kept, place / "m.safetensors", texts | {"recipe": json.dumps(json.loads(texts["recipe"]) | recipe)})

    return apply


def metadata(key: str, value: str) -> Change:
    def apply(place: Path) -> None:
        with safe_open(place / "m.safetensors", "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            save_file(tensors, place / "m.safetensors", file.metadata() | {key: value})

    return apply


def checkpoint(content: Any) -> Change:
    return lambda place: torch.save(content, place / "net.pth")


def spoilt(place: Path, change: Callable) -> None:
    """Weights of PNN, the first of them changed."""
    parts = {"transform": {"name": "scale", "bits": 11}, "objective": {"name": "regression"}}
    state = build({"network": {"name": "pnn", "bands": 4}, **parts}).network.state_dict()
    first = next(iter(state))
    torch.save({**state, first: change(state[first])}, place / "net.pth")


def chain(place: Path) -> None:
    for k in range(1200):
        (place / f"c{k}.toml").write_text(f'extends = "c{k + 1}"')
    (place / "r.toml").write_text('extends = "c0"')


def itself() -> dict:
    loop: dict[str, Any] = {}
    loop["net"] = loop
    return loop


def bomb(place: Path) -> None:
    with zipfile.ZipFile(place / "net.pth", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", bytes(50_000_000))


def both(change: Callable) -> Change:
    return lambda place: [raster(name, change, nodata=None)(place) for name in ("pan.tif", "ms.tif")]


def filled(value: float, image: np.ndarray) -> np.ndarray:
    """A fill that nobody declares, in the first quarter of the rows."""
    image = image.astype("float32")
    image[:, : image.shape[1] // 4] = value
    return image


CORPUS: dict[str, tuple[str, Change]] = {
    "fill of -3.4e38": (SHARPEN + "gsa", both(partial(filled, -3.4028235e38))),
    "nan everywhere": (SHARPEN + "gsa", both(lambda image: image * np.float32("nan"))),
    "float64 of 1e300": (SHARPEN + "gsa", both(lambda image: image * 1e300)),
    "pixel size 0": (SHARPEN + "gsa", raster("ms.tif", transform=Affine(0, 0, 0, 0, 0, 0))),
    "pixel size nan": (SHARPEN + "gsa", raster("ms.tif", transform=Affine(float("nan"), 1, 0, 0, 0, -1))),
    "axes that fall together": (SHARPEN + "gsa", raster("pan.tif", transform=Affine(1, 1, 0, 1, 1, 0))),
    "complex pixels": (SHARPEN + "gsa", raster("pan.tif", lambda image: image.astype("complex64"), nodata=None)),
    "half a file": (SHARPEN + "gsa", data("ms.tif", lambda content: content[: len(content) // 2])),
    "an empty file": (SHARPEN + "gsa", data("pan.tif", lambda content: b"")),
    "a VRT of 2e9 pixels a side": (SHARPEN + "gsa", text("pan.tif", VRT.format(size=2_000_000_000, source="ms.tif"))),
    "a VRT of itself": (SHARPEN + "gsa", text("ms.tif", VRT.format(size=16, source="ms.tif"))),
    "a VRT of nothing": (SHARPEN + "gsa", text("ms.tif", VRT.format(size=16, source="no.tif"))),
    "nan weights": (SHARPEN + "m.safetensors", model(lambda weight: weight * float("nan"))),
    "weights of 1e20": (SHARPEN + "m.safetensors", model(lambda weight: weight * 1e20)),
    "weights of int64": (SHARPEN + "m.safetensors", model(lambda weight: weight.long())),
    "no weights": (SHARPEN + "m.safetensors", model(lambda weight: None)),
    "back_projection = -3": (SHARPEN + "m.safetensors", model(back_projection=-3)),
    "back_projection = 1e9": (SHARPEN + "m.safetensors", model(back_projection=10**9)),
    "steps = 1e9": (SHARPEN + "m.safetensors", model(objective={"name": "flow_matching", "steps": 10**9})),
    "width = 1e8": (SHARPEN + "m.safetensors", model(network={"name": "bandwise", "width": 10**8})),
    "a network's name that is a path": (SHARPEN + "m.safetensors", model(network={"name": "../../os"})),
    "a recipe of null": (SHARPEN + "m.safetensors", metadata("recipe", "null")),
    "metadata 100,000 deep": (SHARPEN + "m.safetensors", metadata("info", "[" * 100_000)),
    "a number of 5,000 digits": (SHARPEN + "m.safetensors", metadata("recipe", "1" * 5000)),
    "a checkpoint that holds itself": (IMPORT, checkpoint(itself())),
    "a ZIP bomb": (IMPORT, bomb),
    "an empty checkpoint": (IMPORT, lambda place: (place / "net.pth").write_bytes(b"")),
    "a checkpoint of text": (IMPORT, text("net.pth", "hello")),
    "sparse weights": (IMPORT, lambda place: spoilt(place, lambda weight: weight.to_sparse())),
    "weights without values": (IMPORT, lambda place: spoilt(place, lambda weight: weight.to("meta"))),
    "bands given twice": (IMPORT + " --set bands=5", checkpoint({})),
    "noise of nan": ("synthesize s --size 64 --noise nan", checkpoint({})),
    "weights of another network": (IMPORT, checkpoint({"a": torch.zeros(3), 1: torch.zeros(3)})),
    "extends = 5": (TRAIN, text("r.toml", "extends = 5\n" + RECIPE)),
    "1,200 recipes that extend each other": (TRAIN, chain),
    "an option that a method has not": (BENCH, text("p.toml", PLAN.format("x = 1", "count = 1"))),
    "a window of a drawn scene": (
        "bench p.toml --out run -q",
        text("p.toml", PLAN.format("", "window = [0, 0, 9, 9]")),
    ),
    "bands that a drawn scene has not": (BENCH, text("p.toml", PLAN.format("", "bands = [99]"))),
    "tile = 0": (TRAIN, text("r.toml", RECIPE + "[data]\nsynthetic = 1\ntile = 0\n")),
    "rates of nan": (TRAIN, text("r.toml", RECIPE + "[optimiser]\nrates = { net = nan }\n")),
    "a recipe 5,000 deep": (TRAIN, text("r.toml", "x = " + "[" * 5000 + "]" * 5000)),
}
