"""Batches end to end: equal to single runs, resumed, killed, interrupted, out of disk."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from panflow.archive import run as runs
from panflow.archive.journal import Entry, Journal
from panflow.archive.rows import Row, rows
from panflow.archive.work import Outcome, sharpen_row
from panflow.data import synthetic
from panflow.errors import InputError
from panflow.ops import cores
from panflow.sensors import load

OPTIONS = ("--method", "brovey", "--register", "off")


def panflow(*arguments: object, check: int | None = 0) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "panflow", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert check is None or done.returncode == check, done.stderr
    return done


def draw(folder: Path, seed: int, size: int = 64) -> None:
    folder.mkdir(parents=True)
    pair = synthetic.scene(size, load("ikonos"), seed=seed)
    synthetic.write(pair, folder, phase=(1.5, 1.5))


@pytest.fixture(scope="module")
def scenes(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    for seed in range(3):
        draw(folder / f"s{seed}", seed)
    (folder / "s2/ms.tif").write_text("no image")
    return folder


@pytest.fixture(scope="module")
def batch(scenes, tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess]:
    out = tmp_path_factory.mktemp("results")
    return out, panflow("batch", scenes, out, *OPTIONS, check=5)


def journal(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "panflow-batch.jsonl").read_text().splitlines()]


def test_results_equal_single_runs(scenes, batch, tmp_path):
    for name in ("s0", "s1"):
        panflow("sharpen", scenes / name / "pan.tif", scenes / name / "ms.tif", tmp_path / f"{name}.tif", *OPTIONS)
        assert (batch[0] / f"{name}.tif").read_bytes() == (tmp_path / f"{name}.tif").read_bytes()


def test_the_journal_has_a_line_a_row(batch):
    lines = {line["id"]: line for line in journal(batch[0])}
    assert {name: line["state"] for name, line in lines.items()} == {"s0": "done", "s1": "done", "s2": "failed"}
    assert lines["s0"]["report"]["method"] == "brovey"
    assert lines["s2"]["exit_code"] == 3
    assert lines["s2"]["attempts"] == 1  # such an input does not get better
    assert "ms.tif cannot be read" in lines["s2"]["sentence"]
    assert "failed: s2" in batch[1].stderr
    assert sorted(p.name for p in batch[0].iterdir()) == ["panflow-batch.jsonl", "s0.tif", "s1.tif"]


def test_a_second_run_does_only_what_failed(scenes, batch):
    before = {path: path.stat().st_mtime_ns for path in batch[0].glob("*.tif")}
    count = len(journal(batch[0]))
    panflow("batch", scenes, batch[0], *OPTIONS, check=5)
    assert {path: path.stat().st_mtime_ns for path in batch[0].glob("*.tif")} == before
    assert [line["id"] for line in journal(batch[0])[count:]] == ["s2"]


def test_other_options_are_done_anew_and_results_of_others_are_kept(scenes, tmp_path):
    out = tmp_path / "out"
    (tmp_path / "one.csv").write_text(f"id,pan,ms\na,{scenes}/s0/pan.tif,{scenes}/s0/ms.tif\n")
    panflow("batch", tmp_path / "one.csv", out, *OPTIONS)
    first = (out / "a.tif").read_bytes()
    panflow("batch", tmp_path / "one.csv", out, "--method", "exp", "--register", "off")
    assert (out / "a.tif").read_bytes() != first
    (out / "panflow-batch.jsonl").unlink()
    done = panflow("batch", tmp_path / "one.csv", out, *OPTIONS, check=5)
    assert "a.tif exists" in done.stderr


def test_columns_are_options_and_errors_of_one_row_are_its_own(scenes, tmp_path):
    text = "id,pan,ms,method,compress\n"
    text += f"a,{scenes}/s0/pan.tif,{scenes}/s0/ms.tif,gsa,lzw\nb,{scenes}/s1/pan.tif,{scenes}/s1/ms.tif,,nonsense\n"
    (tmp_path / "list.csv").write_text(text)
    panflow("batch", tmp_path / "list.csv", tmp_path / "out", *OPTIONS, check=5)
    lines = {line["id"]: line for line in journal(tmp_path / "out")}
    assert lines["a"]["report"]["method"] == "gsa"
    assert "'nonsense' is not one of" in lines["b"]["sentence"]
    done = panflow("batch", tmp_path / "list.csv", tmp_path / "out", *OPTIONS, "--dry-run")
    assert "done\ta" in done.stdout
    assert "cannot run\tb" in done.stdout


def test_an_unknown_column_is_an_error_of_the_batch(scenes, tmp_path):
    (tmp_path / "list.csv").write_text("pan,ms,metod\np,m,gsa\n")
    assert "no option 'metod'" in panflow("batch", tmp_path / "list.csv", tmp_path / "out", check=2).stderr


def test_dry_run_writes_nothing_and_names_what_is_alone(scenes, tmp_path):
    done = panflow("batch", scenes, tmp_path / "out", "--dry-run")
    assert done.stdout.count("to do\t") == 3
    assert not (tmp_path / "out").exists()


def test_json_lines_for_programs(scenes, tmp_path):
    done = panflow("batch", scenes, tmp_path / "out", *OPTIONS, "--json", check=5)
    assert {json.loads(line)["id"] for line in done.stdout.splitlines()} == {"s0", "s1", "s2"}


def test_parts_of_an_array_share_the_rows():
    tasks = [(k, {}) for k in range(7)]
    shares = [runs.part(tasks, f"{i}/3") for i in (1, 2, 3)]
    assert sorted(k for share in shares for k, _ in share) == list(range(7))
    for wrong in ("0/3", "4/3", "x", "1"):
        with pytest.raises(InputError, match="expected i/n"):
            runs.part(tasks, wrong)


class Flaky:
    """An executor whose first attempts at a row fail."""

    slots = 1

    def __init__(self, *outcomes: Outcome):
        self.outcomes, self.calls = list(outcomes), 0

    def attempt(self, slot, row, options):
        self.calls += 1
        return self.outcomes.pop(0)

    def stop(self):
        pass

    def close(self):
        pass


@pytest.fixture
def task(tmp_path):
    (tmp_path / "a.csv").write_text("id,pan,ms\na,p.tif,m.tif\n")
    (row,), _ = rows(str(tmp_path / "a.csv"), tmp_path)
    return row, {}


def test_only_what_may_pass_is_tried_again(task, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "PATIENCE", 0.0)
    passing = Flaky(Outcome(1, "disk", may_pass=True), Outcome(137, "killed", may_pass=True), Outcome(0))
    (entry,) = runs.run([task], Journal(tmp_path), passing, retry=2)
    assert (entry.state, entry.attempts) == ("done", 3)
    broken = Flaky(Outcome(3, "no image"), Outcome(0))
    (entry,) = runs.run([task], Journal(tmp_path), broken, retry=2)
    assert (entry.state, entry.attempts, broken.calls) == ("failed", 1, 1)


def test_a_journal_line_that_was_cut_off_spoils_no_other(tmp_path):
    book = Journal(tmp_path)
    first = Entry("a", "done", 0, "", "a.tif", "x", "0", 1.0, 1, "h", "now")
    book.add(first)
    with book.path.open("a") as file:
        file.write('{"id": "b", "sta')
    book.add(Entry("c", "failed", 3, "bad", "c.tif", "x", "0", 1.0, 1, "h", "now"))
    assert {name: entry.state for name, entry in book.last().items()} == {"a": "done", "c": "failed"}


def test_a_result_made_just_before_a_kill_is_done_again(task, tmp_path):
    book = Journal(tmp_path)
    task[0].out.touch()
    assert runs.pending([task], book, overwrite=False)[0][1]["overwrite"] is False
    book.begin(task[0].id, task[0].out)
    assert runs.pending([task], book, overwrite=False)[0][1]["overwrite"] is True


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_batch_leaves_nothing_half_done_and_goes_on(tmp_path, stop):
    for seed in range(4):
        draw(tmp_path / f"in/s{seed}", seed, 512)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "panflow", "batch", str(tmp_path / "in"), str(out), "--method", "mtf_glp_hpm_r"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (out / "panflow-batch.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(stop)
    _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    deadline = time.monotonic() + 20
    while any(p.name.endswith(".part.tif") for p in out.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.1)  # workers of a batch that was killed end by themselves
    assert [p.name for p in out.iterdir() if "part" in p.name] == []
    panflow("batch", tmp_path / "in", out, "--method", "mtf_glp_hpm_r")
    assert sorted(p.name for p in out.glob("*.tif")) == [f"s{k}.tif" for k in range(4)]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="of Linux")
def test_cores_are_those_that_the_process_may_use(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(cores, "CGROUP", tmp_path)
    assert cores.available() == 8
    (tmp_path / "cpu.max").write_text("250000 100000\n")
    assert cores.available() == 3
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert cores.available() == 8


def test_a_quicklook_is_refused_before_its_scene_is_sharpened(scenes, tmp_path):
    row = Row("a", f"{scenes}/s0/pan.tif", (f"{scenes}/s0/ms.tif",), tmp_path / "a.tif")
    (tmp_path / "a.png").write_text("mine")
    options = {"method": "exp", "register": "off", "quicklook": tmp_path / "a.png"}
    outcome = sharpen_row(row, options)
    assert (outcome.exit_code, outcome.may_pass) == (4, False) and "a.png exists" in outcome.sentence
    assert not row.out.exists() and (tmp_path / "a.png").read_text() == "mine"
    assert sharpen_row(row, {**options, "overwrite": True}).exit_code == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
