"""A scene that is stopped in the middle goes on where it was, to the same bytes."""

import subprocess
import sys

import numpy as np
import pytest
from rasters import drawn, load, save_pair

import panflow
from panflow.errors import InputError, OutputError
from panflow.files.sink import Profile
from panflow.scene import engine

KILLED = """
import os, signal, sys
import panflow
from panflow.scene import engine
engine.BLOCK = 64

def kill(stage, done, total):
    if (stage, done) == ("{stage}", {block}):
        os.kill(os.getpid(), signal.SIGKILL)

panflow.sharpen_file(
    "{folder}/pan.tif", "{folder}/ms.tif", "{out}", method="gsa", sensor="ikonos", register="off", mtf="sensor",
    jobs=2, resume=True, progress=kill, profile=panflow.Profile(format="gtiff"),
)
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """16 blocks, some of which have holes."""
    pan, ms = (image.copy() for image in drawn(256)[:2])
    ms[:, 30:40, 12:50] = 0
    return save_pair(tmp_path_factory.mktemp("scene"), pan, ms, nodata=0)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(engine, "BLOCK", 64)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")


def run(files, out, **options):
    usual = {"method": "gsa", "sensor": "ikonos", "register": "off", "mtf": "sensor", "jobs": 2}
    return panflow.sharpen_file(*files, out, **usual | {"profile": Profile(format="gtiff")} | options)


def stopped(files, out, after=7, **options):
    def stop(stage, done, total):
        if (stage, done) == ("sharpen", after):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(files, out, resume=True, progress=stop, **options)
    assert not out.exists()


def counted(files, out, **options):
    """The report, and how many blocks were computed."""
    seen = []
    report = run(files, out, progress=lambda stage, done, total: seen.append((stage, total)), **options)
    return report, dict(seen)["sharpen"]


@pytest.mark.parametrize(("stage", "block"), [("sharpen", 0), ("sharpen", 9), ("finish", 0)])
def test_killed_and_resumed_is_as_never_killed(files, tmp_path, stage, block):
    whole = run(files, tmp_path / "whole.tif")
    out = tmp_path / "out.tif"
    script = KILLED.format(stage=stage, block=block, folder=files[0].parent, out=out)
    assert subprocess.run([sys.executable, "-c", script]).returncode == -9
    assert not out.exists()
    report, blocks = counted(files, out, resume=True)
    assert blocks == {("sharpen", 0): 16, ("sharpen", 9): 7, ("finish", 0): 0}[stage, block]
    assert out.read_bytes() == (tmp_path / "whole.tif").read_bytes()
    assert (report.clipped_pixels, report.nodata_pixels) == (whole.clipped_pixels, whole.nodata_pixels)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.tif", "whole.tif"]


def test_tiles_that_were_not_written_whole_are_computed_again(files, tmp_path):
    run(files, tmp_path / "whole.tif")
    out = tmp_path / "out.tif"
    stopped(files, out)
    (part,) = tmp_path.glob(".out.tif.resume.part.tif")
    data = bytearray(part.read_bytes())
    data[-5] ^= 1
    part.write_bytes(data)
    with next(tmp_path.glob("*.log")).open("ab") as log:
        log.write(b"[[0, 64")
    assert counted(files, out, resume=True)[1] == 16 - 6
    assert out.read_bytes() == (tmp_path / "whole.tif").read_bytes()


@pytest.mark.parametrize("change", [{"method": "brovey"}, {"mtf": "0.2"}, {"profile": Profile("int32", "gtiff")}])
def test_other_options_begin_anew_and_say_so(files, tmp_path, change):
    run(files, tmp_path / "whole.tif", **change)
    stopped(files, tmp_path / "out.tif")
    report, blocks = counted(files, tmp_path / "out.tif", resume=True, **change)
    assert blocks == 16 and "begun anew" in report.warnings[-1]
    assert np.array_equal(load(tmp_path / "out.tif"), load(tmp_path / "whole.tif"))


def test_other_files_begin_anew(files, tmp_path):
    for path in files:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    copies = [tmp_path / path.name for path in files]
    stopped(copies, tmp_path / "out.tif")
    copies[1].write_bytes(files[1].read_bytes())
    assert counted(copies, tmp_path / "out.tif", resume=True)[1] == 16


def test_without_resume_nothing_is_kept_and_what_is_there_goes(files, tmp_path):
    out = tmp_path / "out.tif"
    stopped(files, out)
    assert len(list(tmp_path.iterdir())) == 3
    report, blocks = counted(files, out)
    assert blocks == 16 and "an interrupted run with --resume" in report.warnings[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["out.tif"]


@pytest.mark.parametrize(
    "options",
    [{"profile": Profile()}, {"profile": Profile(format="gtiff", dtype="float32")}, {"pixels": (3, 3, 90, 90)}],
)
def test_files_that_gdal_compresses_cannot_be_resumed(files, tmp_path, options):
    with pytest.raises(InputError, match="expected --format gtiff with zstd"):
        run(files, tmp_path / "out.tif", resume=True, **options)
    assert not list(tmp_path.iterdir())


def test_two_runs_do_not_resume_the_same_result(files, tmp_path):
    def again(stage, done, total):
        if (stage, done) == ("sharpen", 1):
            with pytest.raises(OutputError, match="another run with --resume writes"):
                subprocess_like(files, tmp_path / "out.tif")

    run(files, tmp_path / "out.tif", resume=True, progress=again)


def subprocess_like(files, out):
    """As another process would: it knows nothing of this one's outputs."""
    from panflow.files import output

    mine = set(output._pending)
    output._pending.clear()
    try:
        run(files, out, resume=True)
    finally:
        output._pending.update(mine)


def test_what_is_adapted_cannot_be_resumed(files, tmp_path):
    with pytest.raises(InputError, match="by its name, that is not adapted"):
        run(files, tmp_path / "out.tif", method=panflow.load("gsa"), resume=True)


def test_a_part_that_begins_with_a_block_can(files, tmp_path):
    options = {"pixels": (64, 0, 130, 200)}
    run(files, tmp_path / "whole.tif", **options)
    stopped(files, tmp_path / "out.tif", after=3, **options)
    assert counted(files, tmp_path / "out.tif", resume=True, **options)[1] == 12 - 3
    assert (tmp_path / "out.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()
