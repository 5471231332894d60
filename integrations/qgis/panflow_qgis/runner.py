# SPDX-License-Identifier: GPL-2.0-or-later
"""The command panflow as a process of its own: where it lies, what it hears, how far it is. Knows nothing of QGIS.

What is promised of the command stands in docs/use/programs.md; lines of another protocol are refused.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from pathlib import Path

PROTOCOL = 1
# QGIS sets these for its own Python and GDAL, and they would mislead another
STRIPPED = (
    *("PYTHONHOME", "PYTHONPATH", "PYTHONEXECUTABLE", "GDAL_DATA", "GDAL_DRIVER_PATH", "GDAL_FILENAME_IS_UTF8"),
    *("PROJ_LIB", "PROJ_DATA", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "QT_PLUGIN_PATH"),
)
FOLDERS = ("~/.local/bin", "~/.pyenv/shims", "~/miniconda3/bin", "~/AppData/Roaming/Python/Scripts", "~/.panflow/bin")
PATIENCE = 0.1  # seconds between two looks whether the user has cancelled
GRACE = 10.0  # seconds that a cancelled command may take to tidy up
MISSING = (
    "the command panflow is not installed, or not where it is looked for: install it (pipx install panflow), or give "
    "its path in Settings > Options > Processing > Providers > panflow"
)


class Failed(Exception):
    """The command's sentence; code: its exit code."""

    def __init__(self, sentence, code=1):
        super().__init__(sentence)
        self.code = code


class Cancelled(Exception):
    """The user did not want to wait; nothing was left half-written."""


def executable(given=""):
    """The path of the command: as given, as the variable PANFLOW says, on the PATH, or where installers put it."""
    for path in (given, os.environ.get("PANFLOW", "")):
        if path:
            if shutil.which(path) is None:
                raise Failed(f"{path} is no command: expected the path of panflow")
            return path
    folders = os.pathsep.join([os.environ.get("PATH", ""), *(os.path.expanduser(folder) for folder in FOLDERS)])
    found = shutil.which("panflow", path=folders)
    if found is None:
        raise Failed(MISSING)
    return found


def environment():
    """That of QGIS without what is meant for QGIS's own Python and GDAL."""
    return {key: value for key, value in os.environ.items() if key not in STRIPPED}


def stamp(path):
    """Changes whenever the command is installed anew."""
    found = Path(shutil.which(path) or path)
    return f"{found}:{found.stat().st_mtime_ns}"


def names(path):
    """Methods, models, sensors ... as `panflow names --json` lists them."""
    done = subprocess.run([path, "names", "--json"], capture_output=True, env=environment(), **_hidden())
    try:
        listed = json.loads(done.stdout)
    except ValueError:
        words = done.stderr.decode(errors="replace").strip() or f"it ended with code {done.returncode}"
        raise Failed(f"{path} does not list its names: {words}") from None
    _check(listed)
    return listed


def run(
    path, arguments, progress=lambda share, stage: None, say=lambda line: None, cancelled=lambda: False, allowed=()
):
    """What the command writes to stdout; `arguments` come with --progress json.

    progress: called with the share that is done, from 0 to 1, and the stage; say: with every line for people;
    cancelled: asked ten times a second. allowed: exit codes besides 0 that give a result. Raises Failed, Cancelled.
    """
    process = subprocess.Popen(
        [path, *arguments, "--progress", "json"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        **_hidden(),
    )
    out, lines = [], queue.Queue()
    threads = [
        threading.Thread(target=lambda: out.append(process.stdout.read()), daemon=True),
        threading.Thread(target=_read, args=(process.stderr, lines), daemon=True),
    ]
    for thread in threads:
        thread.start()
    sentence = ""
    try:
        while True:
            try:
                line = lines.get(timeout=PATIENCE)
            except queue.Empty:
                line = ""
            if line is None:
                break
            if cancelled():
                raise Cancelled
            if line.startswith("{"):
                _event(json.loads(line), progress)
            elif line.startswith(("panflow: ", "Error: ")):
                sentence = line.partition(": ")[2]
            elif line:
                say(line)
        process.wait()
    finally:
        _end(process)
        for thread in threads:
            thread.join()
        process.stdout.close()
        process.stderr.close()
    if process.returncode and process.returncode not in allowed:
        raise Failed(sentence or f"panflow ended with code {process.returncode}", process.returncode)
    return out[0].decode(errors="replace")


def _read(stream, lines):
    for line in stream:
        lines.put(line.decode(errors="replace").strip())
    lines.put(None)


def _event(event, progress):
    if "protocol" in event:
        _check(event)
    elif "share" in event:
        progress(event["share"], event["stage"])


def _check(said):
    if said.get("protocol") != PROTOCOL:
        raise Failed(
            f"panflow {said.get('panflow', '?')} speaks protocol {said.get('protocol')}, this plug-in {PROTOCOL}: "
            "install versions of the two that fit"
        )


def _end(process):
    """A process that still runs is asked to stop, and is made to if it does not."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _hidden():
    """Without a console window on Windows."""
    return {"creationflags": subprocess.CREATE_NO_WINDOW} if sys.platform == "win32" else {}
