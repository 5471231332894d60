"""What other programs rely on: --progress json, names --json, and a stop that is clean."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from panflow import __version__, registry, sensors, zoo
from panflow.data import synthetic

GSA = ("--method", "gsa", "--register", "off")


def panflow(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "panflow", *map(str, arguments)]


def events(*arguments: object) -> tuple[list[dict], subprocess.CompletedProcess]:
    """The lines of JSON on stderr, and the command that has ended."""
    done = subprocess.run(panflow(*arguments, "--progress", "json"), capture_output=True, text=True)
    assert not done.returncode, done.stderr
    return [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")], done


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("scene")
    return synthetic.write(synthetic.scene(640, sensors.load("ikonos"), seed=1), folder, phase=(1.5, 1.5))


@pytest.fixture(scope="module")
def sharpened(files, tmp_path_factory):
    out = tmp_path_factory.mktemp("sharp") / "out.tif"
    return out, *events("sharpen", files["pan"], files["ms"], out, *GSA, "--json")


def rises(lines: list[dict]) -> bool:
    shares = [line["share"] for line in lines]
    return shares == sorted(shares) and shares[-1] == 1


def test_progress_begins_with_version_and_protocol(sharpened):
    _, (first, *_), _ = sharpened
    assert first == {"panflow": __version__, "protocol": 1, "command": "sharpen"}


def test_progress_of_sharpen_goes_through_its_stages(sharpened):
    _, (_, *lines), _ = sharpened
    assert list(dict.fromkeys(line["stage"] for line in lines)) == ["fit", "sharpen", "finish"]
    assert [line["done"] for line in lines if line["stage"] == "sharpen"] == [0, 1, 2, 3, 4]  # blocks of 512
    assert rises(lines)


def test_stdout_has_the_report_alone(sharpened):
    out, _, done = sharpened
    assert json.loads(done.stdout)["output"] == str(out)


def test_progress_of_what_judges_and_degrades(files, sharpened, tmp_path):
    out, *_ = sharpened
    pair = files["pan"], files["ms"]
    for arguments, stages in (
        (["assess", out, "--pan", pair[0], "--ms", pair[1], "--indices", "d_lambda_k"], ["assess"]),
        (["compare", *pair, "--methods", "brovey,gsa", "--crops", 1], ["compare"]),
        (["degrade", *pair, tmp_path / "reduced"], ["reduce", "write"]),
    ):
        (first, *lines), done = events(*arguments, "--json")
        assert first["command"] == arguments[0]
        assert list(dict.fromkeys(line["stage"] for line in lines)) == stages
        assert rises(lines)
        assert json.loads(done.stdout)


def test_progress_of_a_batch_counts_scenes_and_failures(files, tmp_path):
    rows = [f"{name},{files['pan']},{ms}" for name, ms in (("good", files["ms"]), ("bad", __file__))]
    (tmp_path / "list.csv").write_text("\n".join(["id,pan,ms", *rows]))
    command = panflow("batch", tmp_path / "list.csv", tmp_path / "out", *GSA, "--workers", 1, "--progress", "json")
    done = subprocess.run([*command, "--quiet"], capture_output=True, text=True)
    assert done.returncode == 5
    first, *lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert first["command"] == "batch"
    assert [(line["stage"], line["done"], line["total"]) for line in lines] == [("scenes", n, 2) for n in range(3)]
    assert [line["failed"] for line in lines][-1] == 1


def test_quiet_hides_all_but_lines_of_json(files, tmp_path):
    (_, *lines), done = events("degrade", files["pan"], files["ms"], tmp_path / "reduced", "--quiet")
    assert lines and not done.stdout
    done = subprocess.run(panflow("degrade", files["pan"], files["ms"], tmp_path / "more", "-q"), capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_stop_in_midst_of_progress_leaves_nothing(files, tmp_path):
    command = panflow("sharpen", files["pan"], files["ms"], tmp_path / "out.tif", *GSA, "--progress", "json")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if json.loads(line).get("stage") == "sharpen":
                break
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read().splitlines()
    assert process.returncode == 130
    assert rest[-1] == "panflow: interrupted; no result was left half-written"
    assert not list(tmp_path.iterdir())


def test_names_say_what_each_one_is():
    done = subprocess.run(panflow("names", "--json"), capture_output=True, text=True, check=True)
    listed = json.loads(done.stdout, parse_constant=pytest.fail)  # NaN is no JSON
    assert (listed["panflow"], listed["protocol"], listed["default"]) == (__version__, 1, zoo.DEFAULT)
    for kind in registry.KINDS:
        assert [entry["name"] for entry in listed[kind]] == list(registry.names(kind))
    methods = {entry["name"]: entry for entry in listed["methods"]}
    assert methods["gsa"]["summary"] and methods["gsa"]["family"] and methods["gsa"]["citation"]
    ikonos = next(entry for entry in listed["sensors"] if entry["name"] == "ikonos")
    assert (ikonos["title"], ikonos["ratio"]) == ("IKONOS", 4)
    assert [band["name"] for band in ikonos["bands"]] == ["blue", "green", "red", "nir"]
    assert all(entry["summary"] for kind in ("indices", "objectives", "transforms") for entry in listed[kind])


def test_names_of_one_kind():
    done = subprocess.run(panflow("names", "sensors", "--json"), capture_output=True, text=True, check=True)
    assert json.loads(done.stdout).keys() == {"panflow", "protocol", "default", "sensors"}


IGNORED = """
import panflow.__main__ as entry
from panflow import cli

class Gone:
    def __init__(self, error):
        self.error = error
    def __del__(self):
        raise self.error

def run(*_):
    Gone(UnicodeDecodeError("utf-8", bytes([244]), 0, 1, "invalid"))
    Gone(ValueError("something else"))
    return 0

cli.run = run
entry.main()
"""


def test_bytes_of_gdal_that_are_no_text_print_no_stack():
    done = subprocess.run([sys.executable, "-c", IGNORED], capture_output=True, text=True, check=True)
    assert "UnicodeDecodeError" not in done.stderr and "something else" in done.stderr
