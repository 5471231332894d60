"""A job array on a real Slurm: one node, this machine, daemons of the test's own (Debian: slurmctld, slurmd, munge)."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from panflow.data import synthetic
from panflow.sensors import load

DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch")
CONF = """
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
AuthInfo=socket={folder}/munge.socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
NodeName={host} NodeAddr=127.0.0.1 CPUs=2
PartitionName=all Nodes={host} Default=YES State=UP
"""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0 or not all(map(shutil.which, DAEMONS)),
        reason="Slurm is not installed, or nobody here may start its daemons",
    ),
]


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


def slurm(*command: str, check: bool = True) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=check).stdout


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    folder = tmp_path / "slurm"
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o600)
    host = socket.gethostname().partition(".")[0]
    (folder / "slurm.conf").write_text(CONF.format(host=host, folder=folder, ports=free_ports(2)))
    monkeypatch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
    files = {name: f"{folder}/munge.{name}" for name in ("key", "socket", "pid", "log", "seed")}
    named = [f"--{name}-file={files[name]}" for name in ("key", "pid", "log", "seed")]
    daemons = (
        ["munged", "--foreground", "--force", f"--socket={files['socket']}", *named],
        ["slurmctld", "-D", "-i"],
        ["slurmd", "-D", "-N", host],
    )
    with ExitStack() as stack:
        for command in daemons:
            process = stack.enter_context(
                subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=(folder / f"{command[0]}.err").open("w"))
            )
            stack.callback(process.kill)
            time.sleep(0.5)
        deadline = time.monotonic() + 60
        while "idle" not in slurm("sinfo", "-h", "-o", "%T", check=False):
            assert time.monotonic() < deadline, "\n".join(p.read_text() for p in folder.glob("*.err"))
            time.sleep(0.5)
        yield folder


def ended(job: str, tasks: int) -> dict[int, tuple[str, str]]:
    """State and exit code of every task, when all have ended."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        text = slurm("scontrol", "show", "job", job)
        found = re.findall(r"ArrayTaskId=(\d+)\b.*?JobState=(\w+).*?ExitCode=(\d+:\d+)", text, re.DOTALL)
        states = {int(task): (state, code) for task, state, code in found}
        if len(states) == tasks and all(
            state not in ("PENDING", "RUNNING", "COMPLETING") for state, _ in states.values()
        ):
            return states
        time.sleep(0.5)
    raise AssertionError(text)


def test_an_array_sharpens_its_scenes_and_says_which_failed(cluster, tmp_path):
    scenes, out = tmp_path / "scenes", tmp_path / "out"
    for seed in range(4):
        synthetic.write(synthetic.scene(64, load("ikonos"), seed=seed), scenes / f"s{seed}", phase=(1.5, 1.5))
    (scenes / "s2/ms.tif").write_text("no image")
    options = ["--method", "brovey", "--register", "off"]
    command = [sys.executable, "-m", "panflow", "batch", str(scenes), str(out), *options]
    done = subprocess.run([*command, "--executor", "slurm", "--submit", "-j", "1"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    job = done.stdout.split()[-1]
    states = ended(job, 4)
    assert states == {k: ("FAILED", "5:0") if k == 3 else ("COMPLETED", "0:0") for k in (1, 2, 3, 4)}
    assert "failed: s2 (exit code 3)" in (out / f"panflow-{job}_3.log").read_text()
    for name in ("s0", "s1", "s3"):
        single = tmp_path / f"{name}.tif"
        files = [str(scenes / name / file) for file in ("pan.tif", "ms.tif")]
        subprocess.run([sys.executable, "-m", "panflow", "sharpen", *files, str(single), *options, "-q"], check=True)
        assert (out / f"{name}.tif").read_bytes() == single.read_bytes()
    print(slurm("scontrol", "show", "job", job))
    print(*(f"{path.name}: {path.read_text()}" for path in sorted(Path(out).glob("*.log"))), sep="\n")
    again = subprocess.run([*command, "--quiet"], capture_output=True, text=True)
    assert again.returncode == 5
    assert sorted(path.name for path in out.glob("*.tif")) == ["s0.tif", "s1.tif", "s3.tif"]
