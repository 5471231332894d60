"""Whole scenes against gdal_pansharpen: MPix of PAN per second and peak memory, interleaved in one run.

    python benchmarks/scenes.py --folder DIR [--pan PAN --ms MS] [--sizes 5120 20480] [--methods exp brovey ...]

Every run is a process of its own; GDAL runs with GDAL_CACHEMAX=64. Prints a Markdown table.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from multiprocessing import get_context
from pathlib import Path

from _scenes import make

METHODS = ["exp", "brovey", "gsa", "bt_h", "mtf_glp_fs"]


def run(command: list[str]) -> tuple[float, float]:
    """Wall seconds and peak MiB of a process; its output is shown where it fails."""
    started = time.perf_counter()
    environment = os.environ | {"GDAL_CACHEMAX": "64"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    error = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)}\n{error}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


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
    print("| scene | what | MPix/s | wall s, median [min..max] | peak MiB | speed against gdal |")
    print("| --- | --- | --- | --- | --- | --- |")
    for size in options.sizes:
        # in a process of its own: a child's peak memory counts what its parent held when it was forked
        with get_context("spawn").Pool(1) as pool:
            pan, ms = pool.apply(make, (options.folder, size, options.bands, options.pan, options.ms))
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
        results: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(options.rounds):
            for name, command in commands.items():
                out.unlink(missing_ok=True)
                results[name].append(run(command))
        walls = {name: [wall for wall, _ in runs] for name, runs in results.items()}
        base = statistics.median(next(iter(walls.values()))) if gdal else None
        for name, runs in results.items():
            wall = statistics.median(walls[name])
            spread = f"{wall:.2f} [{min(walls[name]):.2f}..{max(walls[name]):.2f}]"
            ratio = f"{base / wall:.2f}" if base else "-"
            peak = max(peak for _, peak in runs)
            scene, speed = f"{size}, {options.bands} bands", f"{size**2 / 1e6 / wall:.1f}"
            print(f"| {scene} | {name} | {speed} | {spread} | {peak:.0f} | {ratio} |", flush=True)
        out.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
