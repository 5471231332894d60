"""The command line: what it prints, its exit codes, and what bad input and bad luck get."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from panflow import sensors
from panflow.cli import main
from panflow.data import synthetic

KEYS = {
    *("output", "sensor", "method", "ratio", "phase", "shift_pixels", "shift_confidence", "clipped_pixels"),
    *("seconds", "mpix_per_second", "peak_mib", "warnings"),
}


@pytest.fixture(scope="session")
def scene(tmp_path_factory) -> dict[str, Path]:
    """Files of a scene of 256 PAN pixels."""
    folder = tmp_path_factory.mktemp("scene")
    pair = synthetic.scene(256, sensors.load("ikonos"), seed=1, shift=(0.75, -1.0))
    return synthetic.write(pair, folder, phase=(1.5, 1.5))  # as if corners were shared


def words(*args) -> list[str]:
    """Arguments as words; sharpening by a method that starts at once, unless a later word asks for another."""
    found = [str(arg) for arg in args]
    return ["sharpen", "--method", "mtf_glp_fs", *found[1:]] if found[0] == "sharpen" else found


@pytest.fixture
def panflow(monkeypatch, capsys):
    """Runs the command in this process: (exit code, stdout, stderr)."""
    before = signal.getsignal(signal.SIGTERM)

    def run(*args) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["panflow", *words(*args)])
        with pytest.raises(SystemExit) as stop:
            main()
        printed = capsys.readouterr()
        return stop.value.code, printed.out, printed.err

    yield run
    signal.signal(signal.SIGTERM, before)


def command(*args) -> list[str]:
    return [sys.executable, "-m", "panflow", *words(*args)]


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def refused(found: tuple[int, str, str], code: int, *words: str) -> None:
    """One clear sentence on stderr, the right exit code, nothing else."""
    status, out, err = found
    assert status == code, err
    assert out == "" and "Traceback" not in err and "unexpected" not in err
    sentences = [line for line in err.splitlines() if line.startswith(("panflow: ", "Error: "))]
    assert len(sentences) == 1
    for word in words:
        assert word in sentences[0]


# what it prints --------------------------------------------------------------------------------------------------


def test_json_is_the_summary(scene, tmp_path, panflow):
    out = tmp_path / "out.tif"
    code, printed, err = panflow("sharpen", scene["pan"], scene["ms"], out, "--json")
    assert code == 0 and err == ""
    summary = json.loads(printed)
    assert summary.keys() >= KEYS
    assert summary["output"] == str(out) and summary["sensor"] == "ikonos" and summary["method"] == "mtf_glp_fs"
    assert summary["ratio"] == [4, 4]
    assert np.abs(np.subtract(summary["shift_pixels"], (0.75, -1.0))).max() < 0.1
    assert np.abs(np.subtract(summary["phase"], (2.25, 0.5))).max() < 0.1
    assert 0.9 < summary["shift_confidence"] <= 1 and summary["warnings"] == []
    assert summary["seconds"] > 0 and summary["mpix_per_second"] > 0 and summary["peak_mib"] > 50
    with rasterio.open(out) as result, rasterio.open(scene["pan"]) as pan:
        assert result.transform == pan.transform and result.count == 4


def test_json_has_no_nan(tmp_path, panflow):
    """A shift that cannot be measured is null, and the output is JSON."""
    pair = synthetic.scene(64, sensors.load("ikonos"))
    paths = synthetic.write(pair, tmp_path)
    code, printed, _ = panflow("sharpen", paths["pan"], paths["ms"], tmp_path / "out.tif", "--json")
    assert code == 0
    assert json.loads(printed, parse_constant=pytest.fail)["fit_r2"] == [None, None]


def test_the_default_method_is_the_bundled_model(scene, tmp_path):
    from panflow import zoo

    arguments = command("sharpen", scene["pan"], scene["ms"], tmp_path / "out.tif", "--json")
    arguments = [word for word in arguments if word not in ("--method", "mtf_glp_fs")]
    done = subprocess.run(arguments, capture_output=True, text=True)
    assert done.returncode == 0 and json.loads(done.stdout)["method"] == zoo.DEFAULT


def test_summary_and_quiet(scene, tmp_path, panflow):
    code, printed, _ = panflow("sharpen", scene["pan"], scene["ms"], tmp_path / "a.tif", "--method", "gsa")
    assert code == 0
    for word in ("ikonos", "gsa", "4 x 4", "corrected", "MPix/s", "MiB", "clipped", "a.tif"):
        assert word in printed
    assert panflow("sharpen", scene["pan"], scene["ms"], tmp_path / "b.tif", "--quiet") == (0, "", "")


def test_progress_bar_on_a_terminal(scene, tmp_path):
    import pty

    parent, child = pty.openpty()
    arguments = command("sharpen", scene["pan"], scene["ms"], tmp_path / "out.tif")
    done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=child, env=os.environ | {"TERM": "xterm"})
    os.close(child)
    shown = b""
    try:
        while part := os.read(parent, 65536):
            shown += part
    except OSError:  # the other end is closed
        pass
    assert done.returncode == 0 and b"sharpening" in shown and b"blocks/s" in shown


def test_notes_go_to_stderr(tmp_path):
    pair = synthetic.scene(128, sensors.load("ikonos"))
    paths = synthetic.write(pair, tmp_path)
    for path in (paths["pan"], paths["ms"]):
        with rasterio.open(path) as dataset:
            image = dataset.read()
        with rasterio.open(path, "w", "GTiff", image.shape[2], image.shape[1], image.shape[0], dtype="uint16") as plain:
            plain.write(image)
    arguments = command("sharpen", paths["pan"], paths["ms"], tmp_path / "out.tif", "-q")
    done = subprocess.run(arguments, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == ""
    (note,) = done.stderr.splitlines()
    assert note.startswith("note: no CRS or geotransform in PAN and MS") and "share their upper left corner" in note


def test_options(scene, tmp_path, panflow):
    out = tmp_path / "out.tif"
    options = [
        "--method",
        "gsa",
        "--sensor",
        "generic",
        "--register",
        "-0.5,0.25",
        "--dtype",
        "float32",
        "--nodata",
        "9",
    ]
    options += ["--format", "gtiff", "--compress", "lzw", "--overviews", "--jobs", "2", "--max-memory", "1GiB"]
    code, printed, _ = panflow("sharpen", scene["pan"], scene["ms"], out, "--json", *options)
    summary = json.loads(printed)
    assert code == 0 and summary["shift_pixels"] == [-0.5, 0.25] and summary["phase"] == [1.0, 1.75]
    assert summary["method"] == "gsa" and summary["sensor"] == "generic"
    with rasterio.open(out) as result:
        assert result.dtypes[0] == "float32" and result.compression.value == "LZW"


def test_help_and_version(panflow):
    assert "sharpen" in panflow("--help")[1]
    code, printed, _ = panflow("sharpen", "--help")
    assert code == 0 and all(word in printed for word in ("--register", "PAN MS", "--max-memory"))
    assert panflow("--version")[0] == 0


# what bad input gets ---------------------------------------------------------------------------------------------


def rewritten(source: Path, target: Path, change=lambda image: image, **profile) -> Path:
    """A copy of a raster with its pixels or profile changed."""
    with rasterio.open(source) as dataset:
        image, known = change(dataset.read()), dataset.profile
    known |= {"count": image.shape[0], "dtype": image.dtype} | profile
    with rasterio.open(target, "w", **known) as copy:
        copy.write(image)
    return target


def truncated(source: Path, target: Path, share: float) -> Path:
    whole = rewritten(source, target, compress="none", predictor=1).read_bytes()
    target.write_bytes(whole[: int(len(whole) * share)])
    return target


def nowhere(scene, folder):
    far = Affine(2, 0, 9e5, 0, -2, 5e6)
    return scene["pan"], rewritten(scene["ms"], folder / "far.tif", transform=far)


def text(folder):
    (folder / "notes.txt").write_text("not an image")
    return folder / "notes.txt"


def without_numbers(image):
    return np.full(image.shape, np.nan, "float32")


BAD = {  # inputs -> words of the sentence
    "missing PAN": (lambda s, d: (d / "none.tif", s["ms"]), "PAN file", "none.tif does not exist"),
    "missing MS": (lambda s, d: (s["pan"], d / "none.tif"), "MS file", "none.tif does not exist"),
    "missing scene folder": (lambda s, d: (d / "nothing",), "nothing"),
    "not an image": (lambda s, d: (s["pan"], text(d)), "cannot be read as an image"),
    "truncated PAN": (lambda s, d: (truncated(s["pan"], d / "cut.tif", 0.5), s["ms"]), "cut.tif", "truncated"),
    "truncated MS": (lambda s, d: (s["pan"], truncated(s["ms"], d / "cut.tif", 0.5)), "cut.tif", "truncated"),
    "truncated header": (
        lambda s, d: (truncated(s["pan"], d / "cut.tif", 0.0005), s["ms"]),
        "cut.tif",
        "cannot be read",
    ),
    "PAN coarser than MS": (
        lambda s, d: (rewritten(s["ms"], d / "one.tif", lambda i: i[:1]), s["pan"]),
        *("not finer than MS", "swapped"),
    ),
    "PAN and MS swapped": (lambda s, d: (s["ms"], s["pan"]), "has 4 bands: expected one", "swapped"),
    "no overlap": (nowhere, "do not overlap"),
    "wrong band pick": (lambda s, d: (s["pan"], f"{s['ms']},band=9"), "expected band=1..4", "band=9"),
    "band pick that is no number": (lambda s, d: (s["pan"], f"{s['ms']},band=x"), "expected band=1..4"),
    "all nodata in PAN": (lambda s, d: (rewritten(s["pan"], d / "0.tif", lambda i: i * 0), s["ms"]), "nodata", "PAN"),
    "all nodata in MS": (lambda s, d: (s["pan"], rewritten(s["ms"], d / "0.tif", lambda i: i * 0)), "nodata", "MS"),
    "NaN everywhere in PAN": (
        lambda s, d: (rewritten(s["pan"], d / "n.tif", without_numbers, predictor=1), s["ms"]),
        *("nodata", "PAN"),
    ),
    "NaN everywhere in MS": (
        lambda s, d: (s["pan"], rewritten(s["ms"], d / "n.tif", without_numbers, predictor=1)),
        *("nodata", "MS"),
    ),
    "complex numbers": (
        lambda s, d: (rewritten(s["pan"], d / "c.tif", lambda i: i.astype("complex64"), predictor=1), s["ms"]),
        "complex",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_told(case, scene, tmp_path, panflow):
    make, *words = BAD[case]
    inputs = make(scene, tmp_path)
    before = files_in(tmp_path)
    refused(panflow("sharpen", *inputs, tmp_path / "out.tif", "--sensor", "auto"), 3, *words)
    assert files_in(tmp_path) == before


@pytest.mark.parametrize(
    ("options", "code", "word"),
    [
        (["--method", "gsaa"], 2, "did you mean 'gsa'?"),
        (["--method", "mine.safetensors"], 3, "no model file mine.safetensors"),
        (["--sensor", "ikonoss"], 2, "did you mean 'ikonos'?"),
        (["--register", "sideways"], 3, "expected auto, global, local, auto:PIXELS, off, or DY,DX"),
        (["--register", "1,2,3"], 3, "expected auto, global, local, auto:PIXELS, off, or DY,DX"),
        (["--register", "nan,0"], 3, "expected auto, global, local, auto:PIXELS, off, or DY,DX"),
        (["--max-memory", "lots"], 3, "is no size"),
        (["--max-memory", "-5"], 3, "more than nothing"),
        (["--dtype", "uint13"], 3, "dtype 'uint13' is unknown"),
        (["--bands", "red,green"], 3, "2 band names"),
        (["--method", "bandwise", "--device", "cuda:99"], 3, "device cuda:99 cannot be used"),
        (["--method", "bandwise", "--runtime", "onxx"], 2, "did you mean 'onnx'?"),
        (["--jobs", "0"], 2, "--jobs"),
        (["--format", "jpeg"], 2, "--format"),
        (["--wrong"], 2, "--wrong"),
    ],
)
def test_bad_options_are_told(options, code, word, scene, tmp_path, panflow):
    refused(panflow("sharpen", scene["pan"], scene["ms"], tmp_path / "out.tif", *options), code, word)
    assert not files_in(tmp_path)


def test_too_few_arguments(scene, panflow):
    refused(panflow("sharpen"), 2, "Missing")
    refused(panflow("sharpen", scene["pan"]), 3, "expected PAN, MS and OUT")


# targets ---------------------------------------------------------------------------------------------------------


def test_an_existing_target_is_kept_without_overwrite(scene, tmp_path, panflow):
    out = tmp_path / "out.tif"
    out.write_text("mine")
    refused(panflow("sharpen", scene["pan"], scene["ms"], out), 4, "exists", "--overwrite")
    assert out.read_text() == "mine"
    refused(panflow("sharpen", scene["pan"], f"{scene['ms']},band=9", out, "--overwrite"), 3)
    assert out.read_text() == "mine"
    assert panflow("sharpen", scene["pan"], scene["ms"], out, "--overwrite", "-q")[0] == 0
    assert files_in(tmp_path) == {"out.tif"} and out.stat().st_size > 1000


def test_an_input_is_never_the_target(scene, panflow):
    before = scene["ms"].read_bytes()
    for out in (scene["pan"], scene["ms"]):
        refused(panflow("sharpen", scene["pan"], scene["ms"], out, "--overwrite"), 3, "one of the inputs")
    assert scene["ms"].read_bytes() == before


def test_unwritable_targets(scene, tmp_path, panflow):
    refused(panflow("sharpen", scene["pan"], scene["ms"], tmp_path / "no" / "out.tif"), 4, "does not exist")
    refused(panflow("sharpen", scene["pan"], scene["ms"], tmp_path), 4, "is a folder")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a file system that nobody can write to")
def test_a_read_only_place(scene, panflow):
    refused(panflow("sharpen", scene["pan"], scene["ms"], "/proc/out.tif"), 4, "/proc")


@pytest.mark.parametrize(
    "compress, limit", [("none", 4_000), ("none", 300_000), ("zstd", 60_000)], ids=["at once", "half-way", "in tiles"]
)
@pytest.mark.parametrize("format", ["gtiff", "cog"])
def test_a_full_disk(scene, tmp_path, format, compress, limit):
    """A limit on file size is what a full disk looks like to a program."""
    out = tmp_path / "out.tif"
    out.write_text("mine")
    done = subprocess.run(
        command("sharpen", scene["pan"], scene["ms"], out, "--overwrite", "--format", format, "--compress", compress),
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    refused((done.returncode, done.stdout, done.stderr), 4, "out.tif", "disk full")
    assert "_tiff" not in done.stderr  # what libtiff says itself
    assert files_in(tmp_path) == {"out.tif"} and out.read_text() == "mine"


# interruptions ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def large(tmp_path_factory) -> tuple[Path, Path]:
    """A scene that takes some seconds."""
    folder, rng = tmp_path_factory.mktemp("large"), np.random.default_rng(0)
    paths = folder / "pan.tif", folder / "ms.tif"
    for path, count, size, pixel in zip(paths, (1, 4), (3072, 768), (0.5, 2)):
        profile = {"count": count, "height": size, "width": size, "dtype": "uint16", "crs": "EPSG:32633"}
        with rasterio.open(path, "w", driver="GTiff", transform=Affine(pixel, 0, 0, 0, -pixel, 0), **profile) as target:
            target.write(rng.integers(100, 900, (count, size, size), dtype="uint16"))
    return paths


def started(large, folder: Path) -> tuple[subprocess.Popen, Path]:
    """A run that has begun to write beside a target that exists."""
    out = folder / "out.tif"
    out.write_text("mine")
    arguments = command("sharpen", *large, out, "--overwrite", "--jobs", "1", "--register", "off", "--compress", "none")
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not any(path.stat().st_size > 2_000_000 for path in folder.glob(".*.part.tif")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    return process, out


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_in_the_middle(how, large, tmp_path):
    process, out = started(large, tmp_path)
    process.send_signal(how)
    printed, err = process.communicate(timeout=120)
    refused((process.returncode, printed, err), 130, "interrupted")
    assert files_in(tmp_path) == {"out.tif"} and out.read_text() == "mine"


@pytest.mark.parametrize("name", ["typing", "panflow.cli"])
def test_interrupted_while_it_starts(name):
    """^C at one of the first imports."""
    code = f"""
import os, signal, sys
class Interrupting:
    def find_spec(self, name, *_):
        if name == {name!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.modules.pop({name!r}, None)
sys.meta_path.insert(0, Interrupting())
from panflow.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


def test_killed_in_the_middle(large, tmp_path):
    process, out = started(large, tmp_path)
    process.kill()
    process.communicate(timeout=120)
    assert out.read_text() == "mine"
    assert all(name == "out.tif" or (name[0] == "." and ".part" in name) for name in files_in(tmp_path))


def test_a_closed_pipe(scene, tmp_path):
    """`panflow sharpen ... --json | true`: the file is whole, and nothing complains."""
    process = subprocess.Popen(
        command("sharpen", scene["pan"], scene["ms"], tmp_path / "out.tif", "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(timeout=120) == 1  # as click does
    assert err == "" and files_in(tmp_path) == {"out.tif"}


def test_debug_shows_the_traceback(scene, tmp_path):
    done = subprocess.run(
        command("sharpen", tmp_path / "none.tif", scene["ms"], tmp_path / "out.tif", "--debug"),
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0 and "Traceback" in done.stderr and "MissingInput" in done.stderr


def test_no_mtf_is_estimated_for_a_method_without_it(scene, tmp_path, panflow, monkeypatch):
    monkeypatch.setattr("panflow.ops.mtf.estimate_mtf", None)
    code, printed, _ = panflow("sharpen", scene["pan"], scene["ms"], tmp_path / "out.tif", "--method", "brovey")
    assert code == 0 and "MTF" not in printed
    with rasterio.open(tmp_path / "out.tif") as result:
        assert "PANFLOW_MTF" not in result.tags()


@pytest.mark.parametrize(("mtf", "source"), [("auto", "estimated"), ("sensor", "sensor"), ("0.2", "given")])
def test_the_report_says_which_mtf_was_used(tmp_path, panflow, mtf, source):
    known = sensors.load("ikonos")
    files = synthetic.write(synthetic.scene(400, known.with_gains([0.12] * 4), seed=3), tmp_path)
    code, printed, _ = panflow("sharpen", files["pan"], files["ms"], tmp_path / "out.tif", "--mtf", mtf, "--json")
    report = json.loads(printed)
    expected = {"auto": 0.12, "sensor": float(np.mean(known.gains)), "0.2": 0.2}[mtf]
    assert code == 0 and report["mtf_source"] == source
    assert np.mean(report["mtf_gains"]) == pytest.approx(expected, abs=0.02 if mtf == "auto" else 1e-6)
    assert (report["mtf_confidence"] is None) == (mtf != "auto")
