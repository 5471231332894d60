"""Whole scenes against gdal_pansharpen: MPix of PAN per second and peak memory, interleaved in one run.

    python benchmarks/scenes.py --folder DIR [--pan PAN --ms MS] [--sizes 5120 20480] [--methods exp brovey ...]

Every run is a process of its own, in a new order in every round; GDAL runs with GDAL_CACHEMAX=64. gdal_pansharpen
measures no offset of MS: the rows "offset given" (--register 0,0) do the same work. Prints a Markdown table; ratios are
those of the same round.
"""

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from _scenes import make_apart

METHODS = ["brovey", "gsa", "bt_h", "mtf_glp_fs"]


def run(command: list[str]) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak MiB of a process; its output is shown where it fails."""
    started = time.perf_counter()
    environment = os.environ | {"GDAL_CACHEMAX": "64"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    error = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)}\n{error}")
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def spread(values: Sequence[float]) -> str:
    """median [min..max]"""
    return f"{statistics.median(values):.2f} [{min(values):.2f}..{max(values):.2f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("build/benchmarks"))
    parser.add_argument("--pan", type=Path)
    parser.add_argument("--ms", type=Path)
    parser.add_argument("--bands", type=int, default=4)
    parser.add_argument("--sizes", type=int, nargs="+", default=[5120])
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compress", default="zstd")
    options = parser.parse_args()
    panflow = Path(sys.executable).with_name("panflow")
    gdal = shutil.which("gdal_pansharpen.py") or shutil.which("gdal_pansharpen")
    print("| scene | what | MPix/s | wall s, median [min..max] | CPU s | peak MiB | speed against gdal [min..max] |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for size in options.sizes:
        pan, ms = make_apart(options.folder, size, options.bands, options.pan, options.ms)
        out = options.folder / "out.tif"
        creation = ["-co", "TILED=YES", "-co", "BLOCKXSIZE=512", "-co", "BLOCKYSIZE=512", "-co", "BIGTIFF=IF_SAFER"]
        if options.compress != "none":
            creation += ["-co", f"COMPRESS={options.compress.upper()}", "-co", "PREDICTOR=2"]
            creation += ["-co", "ZSTD_LEVEL=1"] if options.compress == "zstd" else []
        commands = {}
        if gdal:
            commands["gdal_pansharpen (weighted Brovey)"] = [
                *([] if os.access(gdal, os.X_OK) else [sys.executable]), gdal, "-q", "-threads", "ALL_CPUS",
                "-r", "cubic", *creation, str(pan), str(ms), str(out),
            ]  # fmt: skip
        for method in options.methods:
            flags = ["--method", method, "--format", "gtiff", "--compress", options.compress, "--overwrite", "--quiet"]
            flags += ["--level", "1"] if options.compress == "zstd" else []
            commands[method] = [str(panflow), "sharpen", str(pan), str(ms), str(out), *flags]
            if method == options.methods[0]:
                commands[f"{method}, offset given"] = [*commands[method], "--register", "0,0"]
        results: dict[str, list[tuple[float, float, float]]] = {name: [] for name in commands}
        for k in range(options.rounds):
            order = list(commands)
            random.Random(k).shuffle(order)  # the system still writes what the run before has left
            for name in order:
                out.unlink(missing_ok=True)
                results[name].append(run(commands[name]))
        for name, runs in results.items():
            walls, cpus, peaks = zip(*runs)
            ratios = [own[0] / one[0] for own, one in zip(next(iter(results.values())), runs)]
            ratio = f"{spread(ratios)}" if gdal else "-"
            scene, speed = f"{size}, {options.bands} bands", f"{size**2 / 1e6 / statistics.median(walls):.1f}"
            cpu, peak = f"{statistics.median(cpus):.1f}", f"{max(peaks):.0f}"
            print(f"| {scene} | {name} | {speed} | {spread(walls)} | {cpu} | {peak} | {ratio} |", flush=True)
        out.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
