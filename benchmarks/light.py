"""What an install weighs and takes, and what the default costs with torch and without.

    python benchmarks/light.py [--size 2048] [--bands 4 8] [--folder DIR]

Makes two fresh environments with pip from this repository, the base and `[torch]` (those that are in the folder already
are taken as they are), and sharpens drawn scenes by the default with each runtime in the one that has it, in rounds.
CPU seconds and peak memory are the command's by the kernel's count, the ratio is the median over the rounds, the
difference is that of the results in counts as root mean square and largest. Prints Markdown tables.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from _scenes import make_apart

ROOT = Path(__file__).parents[1]
RUNTIMES = (("base", "onnx"), ("torch", "onnx"), ("torch", "torch"), ("torch", "bf16"))


def installed(folder: Path, extra: str) -> Path:
    """An environment with panflow, and a row of what that took."""
    if (folder / "bin/panflow").exists():
        return folder / "bin/panflow"
    pip = [folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check"]
    made = measured([sys.executable, "-m", "venv", folder])
    filled = measured([*pip, f"{ROOT}[{extra}]" if extra else ROOT])
    wall, cpu = made[0] + filled[0], made[1] + filled[1]
    mib = int(subprocess.check_output(["du", "-sm", folder], text=True).split()[0])
    print(f"| `pip install .{f'[{extra}]' if extra else ''}` | {mib} | {wall:.0f} | {cpu:.0f} |", flush=True)
    return folder / "bin/panflow"


def measured(command: list) -> tuple[float, float, float]:
    """Wall and CPU seconds, and MiB, of a command."""
    started = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} failed")
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def pixels(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return file.read().astype(np.float64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--bands", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "panflow-light")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)

    print("| environment, pip included | MiB | wall s | CPU s |\n| --- | --- | --- | --- |")
    commands = {name: installed(options.folder / name, name.replace("base", "")) for name in ("base", "torch")}
    print("\n| scene | install, runtime | CPU s | of `torch`'s | peak MiB | difference to `torch`, counts |")
    print("| --- | --- | --- | --- | --- | --- |")
    for bands in options.bands:
        pan, ms = make_apart(options.folder, options.size, bands)
        outs = {key: options.folder / f"{'-'.join(key)}.tif" for key in RUNTIMES}
        costs: dict[tuple[str, str], list] = {key: [] for key in RUNTIMES}
        for _ in range(options.repeat):
            for (name, runtime), out in outs.items():
                command = [commands[name], "sharpen", pan, ms, out, "--sensor", "worldview2", "--runtime", runtime]
                command += ["--dtype", "float32", "--format", "gtiff", "--overwrite", "--quiet"]
                costs[name, runtime].append(measured(command))
        expected = pixels(outs["torch", "torch"])
        for key, out in outs.items():
            _, cpu, mib = np.min(costs[key], axis=0)
            ratio = np.median([mine[1] / its[1] for mine, its in zip(costs[key], costs["torch", "torch"])])
            apart = np.abs(pixels(out) - expected)
            told = f"{np.sqrt((apart**2).mean()):.2g}, {apart.max():.2g} of a spread of {expected.std():.0f}"
            what = f"{key[0]}, `{key[1]}`"
            print(
                f"| {options.size}, {bands} bands | {what} | {cpu:.1f} | {ratio:.2f} | {mib:.0f} | {told} |", flush=True
            )


if __name__ == "__main__":
    main()
