"""A Slurm job array that runs the same command, one part of the rows a task."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from panflow.errors import MissingExtra, PanflowError

SCRIPT = "panflow-batch.sh"
TEMPLATE = """#!/bin/sh
#SBATCH --job-name=panflow
#SBATCH --array=1-{count}
#SBATCH --cpus-per-task={cores}
#SBATCH --output={folder}/panflow-%A_%a.log
exec {command} --part "$SLURM_ARRAY_TASK_ID/{count}"
"""


def script(folder: Path, command: Sequence[str], count: int, cores: int) -> str:
    """The text of a job script; command: that of the batch, without --executor and --part."""
    return TEMPLATE.format(
        folder=shlex.quote(str(folder.absolute())), command=shlex.join(command), count=count, cores=cores
    )


def submit(path: Path) -> str:
    """Hand the script to Slurm; the number of the job. Raises MissingExtra without Slurm, PanflowError where it
    refuses."""
    try:
        done = subprocess.run(["sbatch", "--parsable", str(path)], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise MissingExtra(f"sbatch is not on this machine: submit {path} where Slurm is") from None
    if done.returncode:
        raise PanflowError(f"Slurm refused {path}: {done.stderr.strip() or done.stdout.strip()}")
    return re.split(r"[;\s]", done.stdout.strip())[0]
