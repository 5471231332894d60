"""What `panflow batch` bears, and what it costs: python benchmarks/archive.py --folder TMP [--open DIR]

faults: many drawn scenes (and the open pairs) and three broken ones, through killed workers, a killed batch, a full
disk (a small tmpfs, where the system lets us mount one) and a restart; every result is compared with that of
`panflow sharpen`. scaling: the same scenes by calls of the function, by batch and by other means, with CPU seconds.
Prints Markdown.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from statistics import median

os.environ.setdefault("SOURCE_DATE_EPOCH", "1700000000")  # the time in results' tags
PANFLOW = [sys.executable, "-m", "panflow"]
PLACES = 40
FULL_MIB, ENOUGH_MIB = 6, 4096  # of the small disk


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--open", type=Path, help="a folder of scenes, whose pairs join the drawn ones")
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--timed", type=int, default=16, help="scenes of the scaling, of 1024 x 1024 PAN pixels")
    parser.add_argument("--rounds", type=int, default=3, help="of the scaling, in turns")
    parser.add_argument("--only", choices=("faults", "scaling"))
    given = parser.parse_args()
    if given.only != "scaling":
        faults(given.folder / "faults", given.scenes, given.open)
    if given.only != "faults":
        scaling(given.folder / "scaling", given.timed, given.rounds)


def draw(folder: Path, count: int, size: int, places: int) -> list[Path]:
    """Scenes of so many drawn places, each in as many lights as it takes."""
    from panflow.data import synthetic
    from panflow.sensors import load

    sensors = ("ikonos", "worldview2", "landsat8", "quickbird")
    folders = [folder / f"s{k:03d}" for k in range(count)]
    for seed in range(min(places, count)):
        missing = [k for k in range(seed, count, places) if not (folders[k] / "ms.tif").exists()]
        pair = synthetic.scene(size, load(sensors[seed % len(sensors)]), seed=seed) if missing else None
        for k in missing:
            light = 1 - 0.08 * (k // places)
            synthetic.write(replace(pair, pan=pair.pan * light, ms=pair.ms * light), folders[k])
    return folders


def faults(folder: Path, count: int, others: Path | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tasks = manifest(folder, count, others)
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    small = not subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={FULL_MIB}m", "tmpfs", out], check=False
    ).returncode
    try:
        command = [*PANFLOW, "batch", str(folder / "scenes.csv"), str(out), "--workers", "2", "-j", "1", "-q"]
        events = [f"killed: {kill(command, out, len(tasks))}"]
        code, words = ended([*command, "--retry", "0"])
        disk = f"a disk of {FULL_MIB} MiB" if small else "no small disk"
        events.append(f"{disk}: exit code {code}, {len(results(out))} results; {words}")
        if small:
            subprocess.run(["mount", "-o", f"remount,size={ENOUGH_MIB}m", out], check=True)
        code, words = ended(command)
        events.append(f"restarted: exit code {code}, {len(results(out))} results; {words}")
        report(tasks, out, events)
    finally:
        if small:
            subprocess.run(["umount", out], check=True)


def manifest(folder: Path, count: int, others: Path | None) -> dict[str, dict[str, str]]:
    """Rows by id, written to scenes.csv: a few by the default method, the rest by two classical ones."""
    rows = []
    for k, each in enumerate(draw(folder / "scenes", count, 64, PLACES)):
        method = "bandwise" if k % 50 == 7 else ("brovey", "gsa")[k % 2]
        rows.append({"id": each.name, "pan": str(each / "pan.tif"), "ms": str(each / "ms.tif"), "method": method})
    if others:
        from panflow.files.product import find_all

        for scene in find_all(others)[0]:
            name = Path(scene.pan).parent.name
            rows.append({"id": name, "pan": scene.pan, "ms": ";".join(scene.ms), "method": "brovey"})
    broken = folder / "scenes"
    (broken / "text.tif").write_text("no image")
    data = Path(rows[0]["pan"]).read_bytes()
    (broken / "short.tif").write_bytes(data[: len(data) // 2])
    first = rows[0] | {"method": "brovey"}
    rows += [
        first | {"id": "broken-text", "ms": str(broken / "text.tif")},
        first | {"id": "broken-short", "pan": str(broken / "short.tif")},
        first | {"id": "broken-swapped", "pan": rows[0]["ms"], "ms": rows[0]["pan"]},
    ]
    with (folder / "scenes.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return {row["id"]: row for row in rows}


def results(out: Path) -> list[Path]:
    return sorted(path for path in out.glob("*.tif") if not path.name.startswith("."))


def children(pid: int) -> list[int]:
    """Of all threads of a process."""
    found: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, file.read_text().split())
    return found


def kill(command: list[str], out: Path, total: int) -> str:
    """Runs the batch until a tenth of the results is there; on the way two workers are killed, at last the batch."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    killed = 0
    for goal in (total // 40, total // 20, total // 10):
        while len(results(out)) < goal and process.poll() is None:
            time.sleep(0.02)
        if goal == total // 10:
            process.kill()
        else:
            workers = [
                pid for pid in children(process.pid) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
            ]
            for pid in workers[:1]:
                os.kill(pid, signal.SIGKILL)
                killed += 1
    process.wait()
    deadline = time.monotonic() + 60
    while any(".part" in name for name in os.listdir(out)) and time.monotonic() < deadline:
        time.sleep(0.1)  # workers end by themselves
    return f"{killed} workers, then the batch, at {len(results(out))} results"


def ended(command: list[str]) -> tuple[int, str]:
    """Exit code of a run and what most of its lines on stderr say."""
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    lines = Counter(line.rpartition(": ")[2] for line in done.stderr.splitlines() if line.strip())
    return done.returncode, "; ".join(f"{n} x {text!r}" for text, n in lines.most_common(3))


def report(tasks: dict[str, dict[str, str]], out: Path, events: list[str]) -> None:
    from panflow.cli import run

    last = {}
    lines = (out / "panflow-batch.jsonl").read_text().splitlines()
    for line in lines:
        with suppress(json.JSONDecodeError):
            entry = json.loads(line)
            last[entry["id"]] = entry
    states: Counter[str] = Counter()
    single = out.parent / "single.tif"
    for name, row in tasks.items():
        entry = last.get(name, {"state": "absent", "sentence": ""})
        if name.startswith("broken"):
            states["broken, failed with a sentence" if entry["sentence"] else "BROKEN WITHOUT A SENTENCE"] += 1
            continue
        files = [row["pan"], *row["ms"].split(";")]
        assert not run(["sharpen", *files, str(single), "--method", row["method"], "-j", "1", "-q", "--overwrite"])
        there = (out / f"{name}.tif").exists()
        equal = there and (out / f"{name}.tif").read_bytes() == single.read_bytes()
        states["equal to the single run" if equal else f"NOT EQUAL ({name})"] += 1
    rest = sorted(set(os.listdir(out)) - {f"{name}.tif" for name in tasks} - {"panflow-batch.jsonl"})
    print("\n".join(f"- {line}" for line in events), "\n\n| scenes | |\n|---|---|")
    print("\n".join(f"| {state} | {n} |" for state, n in states.items()))
    print(f"| files besides results and journal | {', '.join(rest) or 'none'} |")
    print(f"| lines of the journal | {len(lines)} |\n")
    print("| broken scene | its sentence |\n|---|---|")
    print(
        "\n".join(
            f"| {n} | {e['sentence']} |".replace(str(out.parent), "...") for n, e in last.items() if "broken" in n
        )
    )


BARE = """
import sys
import panflow
from panflow.ops.memory import keep_freed
keep_freed()
folder, out = sys.argv[1:3]
for name in sys.argv[3:]:
    files = [f"{folder}/{name}/{file}.tif" for file in ("pan", "ms")]
    panflow.sharpen_file(*files, f"{out}/{name}.tif", method="gsa", jobs=1)
"""


def scaling(folder: Path, count: int, rounds: int) -> None:
    scenes = folder / "scenes"
    draw(scenes, count, 1024, 2)
    names = sorted(path.name for path in scenes.iterdir())
    out = folder / "out"
    batch = [*PANFLOW, "batch", scenes, out, "-m", "gsa", "-q", "-j", "1"]
    one = f"{sys.executable} -m panflow sharpen {scenes}/%/pan.tif {scenes}/%/ms.tif {out}/%.tif -m gsa -q -j 1"
    ways = {
        "calls of the function, one process": [sys.executable, "-c", BARE, scenes, out, *names],
        "batch, 1 worker": [*batch, "--workers", "1"],
        "batch, 2 workers": [*batch, "--workers", "2"],
        "batch, dask's 2 workers": [*batch, "--executor", "dask", "--workers", "2"],
        "`xargs -P2` of `panflow sharpen`": ["xargs", "-P2", "-I%", *one.split()],
    }
    measured: dict[str, list[tuple[float, float]]] = {title: [] for title in ways}
    for k in range(rounds):
        for title, command in [*ways.items()][:: (-1) ** k]:
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            subprocess.run(list(map(str, command)), input="\n".join(names), text=True, check=True)
            seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            assert len(results(out)) == len(names), title
            measured[title].append((seconds, cpu))
            print(f"{title}: {seconds:.1f} s, CPU {cpu:.1f} s", file=sys.stderr, flush=True)
    bare = next(iter(measured.values()))
    print(f"\n| {len(names)} scenes of 1024 x 1024, gsa, one thread each | s | beside calls | scenes/min | CPU s |")
    print("|---|---|---|---|---|")
    for title, runs in measured.items():
        ratios = sorted(seconds / one for (seconds, _), (one, _) in zip(runs, bare))
        seconds, cpu = (median(values) for values in zip(*runs))
        beside = f"{median(ratios):.2f} [{ratios[0]:.2f}..{ratios[-1]:.2f}]"
        print(f"| {title} | {seconds:.1f} | {beside} | {60 * len(names) / seconds:.0f} | {cpu:.1f} |")


if __name__ == "__main__":
    main()
