"""A batch whose scenes and results are on S3: as on a disk, with a journal that several runs share."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from servers import faulty

from panflow.archive.journal import Entry
from panflow.archive.remote_journal import LINES, RemoteJournal
from panflow.archive.rows import rows
from panflow.data import synthetic
from panflow.files.remote import path_of
from panflow.sensors import load

OPTIONS = ("--method", "brovey", "--register", "off", "--workers", "1")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    for seed in range(2):
        synthetic.write(synthetic.scene(64, load("ikonos"), seed=seed), folder / f"s{seed}", phase=(1.5, 1.5))
    return folder


@pytest.fixture
def archive(bucket, scenes):
    for path in scenes.rglob("*.tif"):
        bucket.put(f"archive/{path.relative_to(scenes)}", path.read_bytes())
    bucket.put("archive/s2/pan.tif", (scenes / "s0/pan.tif").read_bytes())
    bucket.put("archive/s2/ms.tif", b"no image")
    return bucket


def panflow(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "panflow", *map(str, arguments)], capture_output=True, text=True)


def states(bucket) -> dict[str, str]:
    lines = [json.loads(line) for line in bucket.get("out/panflow-batch.jsonl").splitlines()]
    return {line["id"]: line["state"] for line in lines}


def test_a_folder_of_a_bucket_to_a_folder_of_a_bucket(archive, s3_server, scenes, tmp_path, monkeypatch):
    source, out = archive.url("archive"), archive.url("out")
    done = panflow("batch", source, out, *OPTIONS, "--quicklooks", "--limit", "2")
    assert done.returncode == 0, done.stderr
    with faulty(s3_server, "refuse") as proxy:
        monkeypatch.setenv("AWS_S3_ENDPOINT", proxy)
        done = panflow("batch", source, out, *OPTIONS, "--quicklooks")
    assert done.returncode == 5, done.stderr
    assert "failed: s2" in done.stderr
    assert states(archive) == {"s0": "done", "s1": "done", "s2": "failed"}
    written = {f"out/{name}.{suffix}" for name in ("s0", "s1") for suffix in ("tif", "png")}
    assert {key for key in archive.list() if key.startswith("out/")} == {*written, "out/panflow-batch.jsonl"}
    panflow("sharpen", scenes / "s1/pan.tif", scenes / "s1/ms.tif", tmp_path / "s1.tif", *OPTIONS[:4])
    assert archive.get("out/s1.tif") == (tmp_path / "s1.tif").read_bytes()


def test_a_manifest_in_a_bucket_is_relative_to_itself(bucket):
    bucket.put("lists/a.csv", b"id,pan,ms,out\na,p.tif,m.tif;gs://c/n.tif,\nb,s3://o/p.tif,m.tif,sub/b.tif\n")
    found, _ = rows(bucket.url("lists/a.csv"), path_of("s3://results/x"))
    assert found[0].pan == bucket.url("lists/p.tif")
    assert found[0].ms == (bucket.url("lists/m.tif"), "gs://c/n.tif")
    assert [str(row.out) for row in found] == ["s3://results/x/a.tif", "s3://results/x/sub/b.tif"]
    assert found[1].pan == "s3://o/p.tif"


def entry(name: str, state: str = "done", ended: str = "2026-01-01T00:00:00") -> Entry:
    return Entry(name, state, 0, "", "o", "d", "0", 1.0, 1, "h", ended)


def test_tasks_of_an_array_do_not_lose_each_others_lines(bucket):
    folder = path_of(bucket.url("out"))
    books = [RemoteJournal(folder, alone=False) for _ in range(2)]
    for k, book in enumerate(books):
        for i in range(LINES):
            book.begin(f"{k}-{i}", "o")
            book.add(entry(f"{k}-{i}", "failed"))
        book.ended()
    books[1].add(entry("0-0", "done", "2026-01-02T00:00:00"))
    last = RemoteJournal(folder)
    assert len(last.last()) == 2 * LINES
    assert last.last()["0-0"].state == "done"
    assert len(last.begun()) == 2 * LINES
    last.ended()
    assert bucket.list() == {"out/panflow-batch.jsonl"}
    assert len(RemoteJournal(folder).last()) == 2 * LINES
    assert RemoteJournal(folder).begun() == set()
