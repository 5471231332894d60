"""How seconds and memory of `brovey` grow with the scene, its bands, the tile and the workers.

    python benchmarks/growth.py --folder DIR [--pan PAN --ms MS] [--largest 20480] [--picture docs/images/speed.png]

Every run is a process of its own, its offset given. Prints a Markdown table and draws a picture.
"""

import argparse
import sys
from pathlib import Path

from _scenes import make_apart
from scenes import run

SIZES, BANDS, TILES, JOBS = (1024, 2048, 5120, 10240, 20480), (3, 4, 5, 6, 7, 8), (256, 512, 1024, 2048), (1, 2, 3, 4)
USUAL = {"size": 5120, "bands": 4, "tile": 512, "jobs": 2}
TITLES = {"size": "PAN pixels, millions", "bands": "bands", "tile": "pixels of a tile's side", "jobs": "workers"}


def one(pan: str, ms: str, out: str, tile: str, jobs: str) -> None:
    """A run with tiles of another size than the file's blocks, in this process."""
    from panflow import Profile, sharpen_file
    from panflow.ops.memory import keep_freed
    from panflow.scene import engine

    keep_freed()  # as the command does
    engine.BLOCK = int(tile)
    profile = Profile(format="gtiff", level=1)
    sharpen_file(pan, ms, out, method="brovey", profile=profile, register=(0, 0), jobs=int(jobs), overwrite=True)


def draw(found: dict[str, list[tuple[float, float, float]]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(found), figsize=(11, 4.6), layout="constrained")
    for (seconds, memory), (key, rows) in zip(axes.T, found.items()):
        at = [value**2 / 1e6 if key == "size" else value for value, _, _ in rows]
        seconds.plot(at, [s for _, s, _ in rows], "o-", color="#1f6f8b")
        memory.plot(at, [m for _, _, m in rows], "o-", color="#b5651d")
        for axis in (seconds, memory):
            if key in ("size", "tile"):
                axis.set_xscale("log")
                axis.set_xticks(at, [f"{x:.0f}" for x in at])
                axis.minorticks_off()
            axis.set_ylim(0, 1.1 * axis.dataLim.ymax)
            axis.grid(alpha=0.3)
        if key == "size":
            seconds.set_yscale("log")
            seconds.set_ylim(0.1, 20)
        memory.set_xlabel(TITLES[key])
    axes[0, 0].set_ylabel("seconds")
    axes[1, 0].set_ylabel("peak MiB")
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("build/benchmarks"))
    parser.add_argument("--pan", type=Path)
    parser.add_argument("--ms", type=Path)
    parser.add_argument("--largest", type=int, default=20480)
    parser.add_argument("--picture", type=Path, default=Path("docs/images/speed.png"))
    options = parser.parse_args()
    plans = {"size": [n for n in SIZES if n <= options.largest], "bands": BANDS, "tile": TILES, "jobs": JOBS}
    out, found = options.folder / "out.tif", {key: [] for key in plans}
    print("| scene | bands | tile | workers | wall s | CPU s | MPix/s | peak MiB |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for key, values in plans.items():
        for value in values:
            case = USUAL | {key: value}
            scene = make_apart(options.folder, case["size"], case["bands"], options.pan, options.ms)
            arguments = map(str, (*scene, out, case["tile"], case["jobs"]))
            wall, cpu, peak = run([sys.executable, __file__, "one", *arguments])
            found[key].append((value, wall, peak))
            speed = f"{case['size'] ** 2 / 1e6 / wall:.1f}"
            row = (case["size"], case["bands"], case["tile"], case["jobs"], f"{wall:.2f}", f"{cpu:.2f}", speed)
            print("| " + " | ".join(map(str, (*row, f"{peak:.0f}"))) + " |", flush=True)
    out.unlink(missing_ok=True)
    draw(found, options.picture)


if __name__ == "__main__":
    one(*sys.argv[2:]) if sys.argv[1:2] == ["one"] else main()
