"""Rows that are fitted jointly."""

import json
import os
import subprocess
import sys

import pytest
from test_batch import draw

from panflow.archive.groups import joined
from panflow.archive.rows import Row
from panflow.errors import InputError


def test_a_group_has_one_fit(tmp_path):
    """Of the rows that can be opened; the broken one says why by itself, and a row alone is fitted alone."""
    for seed, name in enumerate("abc"):
        draw(tmp_path / name, seed)
    (tmp_path / "c/ms.tif").write_text("no image")
    rows = [f"{name},{name}/pan.tif,{name}/ms.tif,{strip}" for name, strip in (("a", 1), ("b", 1), ("c", 1))]
    (tmp_path / "list.csv").write_text("\n".join(["id,pan,ms,strip", *rows, "d,a/pan.tif,a/ms.tif,"]))
    command = [sys.executable, "-m", "panflow", "batch", str(tmp_path / "list.csv"), str(tmp_path / "out")]
    options = ["--method", "brovey", "--register", "off", "--fit-group", "strip", "--format", "gtiff"]
    done = subprocess.run(
        [*command, *options], capture_output=True, text=True, env=os.environ | {"SOURCE_DATE_EPOCH": "1"}
    )
    assert done.returncode == 5, done.stderr
    (fit,) = (tmp_path / "out/panflow-fits").iterdir()
    count = json.loads(fit.read_text())["panflow_fit"]["state"]["mapping"]["moments"]["Moments"]["count"]
    assert count["array"]["values"] == [2 * 64 * 64]
    lines = [json.loads(line) for line in (tmp_path / "out/panflow-batch.jsonl").read_text().splitlines()]
    assert {line["id"]: line["state"] for line in lines} == {"a": "done", "b": "done", "c": "failed", "d": "done"}
    assert "ms.tif cannot be read" in next(line["sentence"] for line in lines if line["id"] == "c")
    assert (tmp_path / "out/a.tif").read_bytes() != (tmp_path / "out/d.tif").read_bytes()


def test_rows_of_a_group_ask_for_the_same(tmp_path):
    rows = [Row(name, f"{name}.tif", ("ms.tif",), tmp_path / f"{name}_out.tif") for name in "ab"]
    tasks, files = joined([(row, {"method": "gsa", "jobs": k}) for k, row in enumerate(rows)], {"a": "1"}, tmp_path)
    assert [("fit" in options) for _, options in tasks] == [True, False] and len(files) == 1
    with pytest.raises(InputError, match="the rows of the group 1 have different options"):
        joined([(row, {"method": row.id}) for row in rows], {"a": "1", "b": "1"}, tmp_path)
