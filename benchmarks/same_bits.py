"""Whether two states of panflow write the same files: scenes x methods and models, compared byte for byte.

    python benchmarks/same_bits.py OLD/src NEW/src --folder TMP [--pairs DIR ...] [--methods exp gsa ...]

Four scenes are drawn by OLD (ratios 4 and 2, several sensors, nodata, more than one block); --pairs adds folders that
hold pan.tif and ms.tif. Every side sharpens them by its own command line, of which only what has always been there is
asked: ten methods, OLD's two bundled model files, and a checkpoint of PNN that each side imports anew. Cells of the
table: `same`, the files are equal byte for byte; `but for the version`, nothing but what wrote them differs; else what
differs first. Exit code 1 where anything does.
"""

import argparse
import filecmp
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import rasterio
import torch

DRAWN = {
    "ikonos": ["--sensor", "ikonos", "--size", "512", "--seed", "1", "--shift", "0.4,-0.3"],
    "worldview3, nodata": ["--sensor", "worldview3", "--size", "640", "--seed", "2", "--nodata", "0.1"],
    "landsat8": ["--sensor", "landsat8", "--size", "384", "--seed", "3"],
    "pleiades, nine blocks": ["--sensor", "pleiades", "--size", "1200", "--seed", "4", "--shift", "-0.6,0.2"],
}
METHODS = ["exp", "brovey", "gs", "gsa", "bdsd_pc", "bt_h", "awlp", "mtf_glp_fs", "mtf_glp_hpm_h", "nndiffuse"]
MODELS = ["bandwise", "otfm"]
OF_THE_WRITER = {"TIFFTAG_SOFTWARE", "TIFFTAG_DATETIME"}
RUN = """
import json, sys
from panflow.cli import main
for arguments in json.load(sys.stdin):
    sys.argv = ["panflow", *arguments]
    try:
        main()
    except SystemExit as stop:
        if stop.code:
            print("failed:", *arguments, file=sys.stderr)
"""


def panflow(source: Path, folder: Path, commands: list[list[str]]) -> None:
    """Commands of one checkout in a folder, in one process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(source.resolve())}
    code, text = [sys.executable, "-c", RUN], json.dumps(commands)
    done = subprocess.run(code, input=text, env=environment, cwd=folder, text=True, check=True, capture_output=True)
    print(*(line for line in done.stderr.splitlines() if line.startswith(("panflow: ", "failed: "))), sep="\n")


def checkpoint(path: Path, bands: int) -> None:
    """Weights of PNN under the names that its public checkpoints have."""
    rng = torch.Generator().manual_seed(bands)
    shapes = {"conv1": (64, bands + 1, 9, 9), "conv2": (32, 64, 5, 5), "conv3": (bands, 32, 5, 5)}
    weights = {f"{name}.weight": torch.randn(shape, generator=rng) / shape[1] for name, shape in shapes.items()}
    biases = {f"{name}.bias": torch.randn(shape[0], generator=rng) / 10 for name, shape in shapes.items()}
    torch.save(weights | biases, path)


def difference(old: Path, new: Path) -> str:
    """What is different about two files."""
    if not old.is_file() or not new.is_file():
        return f"written by {'OLD' if old.is_file() else 'NEW' if new.is_file() else 'neither'} alone"
    if filecmp.cmp(old, new, shallow=False):
        return "same"
    with rasterio.open(old) as a, rasterio.open(new) as b:
        for name in ("profile", "descriptions", "colorinterp", "scales", "offsets", "units", "mask_flag_enums"):
            if str(getattr(a, name)) != str(getattr(b, name)):
                return f"{name} differ"
        if [a.overviews(k) for k in a.indexes] != [b.overviews(k) for k in b.indexes]:
            return "overviews differ"
        for band in (0, *a.indexes):
            tags = [{k: v for k, v in file.tags(band).items() if k not in OF_THE_WRITER} for file in (a, b)]
            if tags[0] != tags[1]:
                return f"tags of {band or 'the file'} differ"
        one, other = a.read(), b.read()
        if not np.array_equal(one, other, equal_nan=one.dtype.kind == "f"):
            apart = np.abs(one.astype(float) - other)
            return f"{np.mean(apart > 0):.2%} of pixels differ, by up to {np.nanmax(apart):g}"
        return "but for the version" if np.array_equal(a.dataset_mask(), b.dataset_mask()) else "masks differ"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--folder", type=Path, required=True, help="For the scenes and the results.")
    parser.add_argument("--pairs", type=Path, nargs="*", default=[], help="Folders that hold pan.tif and ms.tif.")
    parser.add_argument("--methods", nargs="+", default=METHODS)
    options = parser.parse_args()
    for name in ("old", "new", "folder"):
        setattr(options, name, getattr(options, name).resolve())
    options.folder.mkdir(parents=True, exist_ok=True)
    sides = {"old": options.old, "new": options.new}
    scenes = {name: options.folder / f"scene-{k}" for k, name in enumerate(DRAWN)}
    draw = [["synthesize", str(scenes[name]), *how, "--overwrite"] for name, how in DRAWN.items()]
    panflow(options.old, options.folder, draw)
    sensors = {name: how[1] for name, how in DRAWN.items()}
    scenes |= {f"{folder.parent.name}/{folder.name}": folder.resolve() for folder in options.pairs}
    models = {name: options.old / f"panflow/weights/{name}.safetensors" for name in MODELS}
    columns = [*options.methods, *models, "pnn, imported"]
    for side, source in sides.items():
        commands = []
        for k, (name, folder) in enumerate(scenes.items()):
            out = Path(f"{k}")  # below the side's folder: what is tagged with a name gets the same one
            (options.folder / side / out).mkdir(parents=True, exist_ok=True)
            with rasterio.open(folder / "ms.tif") as file:
                bands = file.count
            weights, imported = out / "pnn.pth", out / "pnn.safetensors"
            checkpoint(options.folder / side / weights, bands)
            what = ["--network", "pnn", "--bands", str(bands), "--bits", "11", "--out", str(imported), "--overwrite"]
            commands.append(["import", str(weights), *what])
            for column in columns:
                method = imported if column == "pnn, imported" else models.get(column, column)
                files = [str(folder / "pan.tif"), str(folder / "ms.tif"), str(out / f"{column}.tif")]
                sensor = ["--sensor", sensors[name]] if name in sensors else []
                commands.append(["sharpen", *files, "--method", str(method), *sensor, "--overwrite"])
        panflow(source, options.folder / side, commands)
    print(f"| | {' | '.join(scenes)} |\n|{' --- |' * (len(scenes) + 1)}")
    wrong = 0
    for column in columns:
        files = [(options.folder / side / str(k) / f"{column}.tif" for side in sides) for k in range(len(scenes))]
        cells = [difference(*both) for both in files]
        wrong += sum(cell not in ("same", "but for the version") for cell in cells)
        print(f"| {column} | {' | '.join(cells)} |")
    for name, path in models.items():
        now = options.new / f"panflow/weights/{name}.safetensors"
        equal = now.is_file() and filecmp.cmp(path, now, shallow=False)
        print(f"\nNEW comes with {'the same' if equal else 'other'} weights of {name}; the table is of those of OLD")
    print(f"\n{len(columns) * len(scenes) - wrong} of {len(columns) * len(scenes)} files are the same")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
