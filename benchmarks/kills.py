"""What signals at random moments leave: runs ended by KILL, TERM and INT, as a table.

    python benchmarks/kills.py --folder TMP [--count 200] [--commands sharpen train] [--signals KILL TERM INT] [--forks]

A scene of 256 PAN pixels is sharpened by the default, and a tiny recipe is trained; each command runs undisturbed once,
which says how long it takes and what it writes. Then it is started `--count` times and gets a signal at a moment drawn
evenly from that time and a tenth more. After TERM and INT no part file may be left; after KILL parts are counted, and a
next run, which is undisturbed after every tenth, removes them. `half`: a result that is no whole file, or differs from
what the undisturbed run wrote (of a training after it was taken up again); `stacks`: anything of a traceback on stderr,
apart from those of Python itself before its first line of panflow.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

RECIPE = """
title = "small"
network = { name = "bandwise", width = 4 }
transform = { name = "scale" }
objective = { name = "regression" }
[data]
synthetic = 1
synthetic_size = 128
synthetic_sensors = ["ikonos"]
tile = 32
patch = 16
folded = 8
[augment]
bands = [4]
ratios = [4]
[run]
steps = 40
log = 1
checkpoint = 0
[validation]
every = 10
"""
FORKS = False
COMMANDS = {
    "sharpen": (["sharpen", "s/pan.tif", "s/ms.tif", "o/out.tif", "--overwrite", "--quiet"], "o/out.tif"),
    "train": (["train", "r.toml", "--out", "o/run", "--device", "cpu", "--quiet"], "o/run/model.safetensors"),
}


class Fork:
    """A run of panflow in a fork of this process, with what is used of a `Popen`."""

    def __init__(self, arguments: list[str], folder: Path):
        self.errors, there = (os.fdopen(end, mode) for end, mode in zip(os.pipe(), "rw"))
        self.pid = os.fork()
        if self.pid:
            there.close()
            return
        code = 1
        try:
            os.chdir(folder)
            os.dup2(there.fileno(), 2)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            sys.argv = ["panflow", *arguments]
            from panflow.__main__ import main

            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)

    def send_signal(self, how: int) -> None:
        os.kill(self.pid, how)

    def communicate(self) -> tuple[str, str]:
        err = self.errors.read()
        self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return "", err


def started(arguments: list[str], folder: Path) -> subprocess.Popen | Fork:
    if FORKS:
        return Fork(arguments, folder)
    line = [sys.executable, "-m", "panflow", *arguments]
    return subprocess.Popen(line, cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


def parts(folder: Path) -> list[Path]:
    return [path for path in (folder / "o").rglob("*") if ".part" in path.name]


def content(path: Path) -> object:
    """What can be compared: bytes, of a model's header what it says, since its order is left to chance."""
    data = path.read_bytes()
    if path.suffix != ".safetensors":
        return data
    size = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:size]), data[size:]


def whole_run(name: str, folder: Path) -> object:
    """What an undisturbed run writes."""
    arguments, result = COMMANDS[name]
    process = started(arguments, folder)
    _, err = process.communicate()
    if process.returncode:
        raise RuntimeError(f"an undisturbed run ended with {process.returncode}: {err}")
    return content(folder / result)


def campaign(name: str, how: signal.Signals, count: int, seed: int, folder: Path) -> dict[str, object]:
    """Counts of what `count` signals did."""
    rng, (arguments, result) = random.Random(f"{name} {how} {seed}"), COMMANDS[name]
    shutil.rmtree(folder / "o", ignore_errors=True)
    (folder / "o").mkdir()
    whole_run(name, folder)  # caches warm
    shutil.rmtree(folder / "o/run", ignore_errors=True)
    begun = time.monotonic()
    expected = whole_run(name, folder)
    took = time.monotonic() - begun
    codes: Counter[int] = Counter()
    half = stacks = early = left = left_after = 0
    for k in range(count):
        if name == "train" and (folder / result).is_file() and content(folder / result) == expected:
            shutil.rmtree(folder / "o/run")  # done: a new run, so that there is something to stop
        process = started(arguments, folder)
        time.sleep(rng.uniform(0, 1.1 * took))
        process.send_signal(how)
        _, err = process.communicate()
        codes[process.returncode] += 1
        if "Traceback" in err or "Fatal Python" in err or "terminate called" in err:
            mine = "panflow" in err.replace("-m panflow", "")
            stacks, early = stacks + mine, early + (not mine)
        left += len(parts(folder))
        if name == "sharpen" and content(folder / result) != expected:
            half += 1
        if k % 10 == 9:
            half += whole_run(name, folder) != expected
            left_after += len(parts(folder))
    ends = ", ".join(f"{code}: {n}" for code, n in sorted(codes.items()))
    row = {"command": name, "signal": how.name, "signals": count, "exit codes": ends, "half": half, "stacks": stacks}
    return row | {"Python's stacks": early, "parts left": left, "after the next run": left_after}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--signals", nargs="+", default=["KILL", "TERM", "INT"])
    parser.add_argument("--forks", action="store_true", help="Of a process that has all imports.")
    options = parser.parse_args()
    if options.forks:
        global FORKS
        FORKS = True
        importlib.import_module("panflow.training.loop")
        importlib.import_module("panflow.cli.sharpen")
        importlib.import_module("panflow.scene.sharpen")
    options.folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("SOURCE_DATE_EPOCH", "1700000000")  # the time in results' tags
    scene = [sys.executable, "-m", "panflow", "synthesize", "s", "--size", "256", "--overwrite"]
    subprocess.run(scene, cwd=options.folder, check=True, stdout=subprocess.DEVNULL)
    (options.folder / "r.toml").write_text(RECIPE)
    head = None
    for name in options.commands:
        for each in options.signals:
            how = signal.Signals[f"SIG{each}"]
            row = campaign(name, how, options.count, options.seed, options.folder)
            if head is None:
                head = f"| {' | '.join(row)} |\n|{' --- |' * len(row)}"
                print(head)
            print(f"| {' | '.join(str(value) for value in row.values())} |", flush=True)


if __name__ == "__main__":
    main()
