"""The door for files that are written: what it refuses, what it leaves, and who wins."""

import errno
import os
import subprocess
import sys
import threading

import pytest

from panflow.errors import InputError, OutputError, OutputExists
from panflow.files import output
from panflow.files.output import Output, append, claimed, folder, rename_new, write


def test_a_file_is_whole_and_alone(tmp_path):
    write(tmp_path / "a.csv", "äöü", overwrite=False)
    assert (tmp_path / "a.csv").read_text("utf-8") == "äöü"
    write(tmp_path / "a.csv", b"second")
    assert os.listdir(tmp_path) == ["a.csv"] and (tmp_path / "a.csv").read_bytes() == b"second"


def test_what_exists_is_kept(tmp_path):
    (tmp_path / "a").write_text("old")
    with pytest.raises(OutputExists, match="exists: give another name, or --overwrite"):
        Output(tmp_path / "a")
    assert (tmp_path / "a").read_text() == "old"


@pytest.mark.parametrize("name", ["pan.tif", "hard.tif", "link.tif"])
def test_inputs_are_never_replaced(tmp_path, name):
    pan = tmp_path / "pan.tif"
    pan.write_text("pixels")
    os.link(pan, tmp_path / "hard.tif")
    os.symlink(pan, tmp_path / "link.tif")
    with pytest.raises(InputError, match="one of the inputs"):
        Output(tmp_path / name, inputs=[pan], overwrite=True)


@pytest.mark.parametrize("name", ["pan.tif.ovr", "pan.tif.msk", "pan.tif.aux.xml", "pan.tfw", "pan.IMD"])
@pytest.mark.parametrize("there", [True, False])
def test_files_read_with_an_input_are_never_written(tmp_path, name, there):
    (tmp_path / "pan.tif").write_text("pixels")
    if there:
        (tmp_path / name).write_text("side")
    with pytest.raises(InputError, match="read with"):
        Output(tmp_path / name, inputs=[tmp_path / "pan.tif"], overwrite=True)


def test_a_result_whose_sidecar_is_an_input_is_refused(tmp_path):
    (tmp_path / "a.tif.ovr").write_text("pixels")
    with pytest.raises(InputError, match="one of the inputs"):
        Output(tmp_path / "a.tif", inputs=[tmp_path / "a.tif.ovr"])


def test_only_regular_files_are_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, words in ((tmp_path / "pipe", "a pipe"), ("/dev/null", "a device"), (tmp_path, "a folder")):
        with pytest.raises(OutputError, match=words):
            Output(path, overwrite=True)


@pytest.mark.parametrize(
    "name, words",
    [
        ("", "empty name"),
        ("new/", "name of a folder"),
        ("no/a.tif", "does not exist"),
        ("file/a.tif", "does not exist"),
        ("x" * 256, "too long|cannot be written"),
        ("a\udcff.tif", "UTF-8"),
        ("a\0b", "cannot be written"),
        ("loop", "cannot be written"),
    ],
)
def test_names_of_no_file_are_refused(tmp_path, name, words):
    (tmp_path / "file").write_text("")
    os.symlink("loop", tmp_path / "loop")
    with pytest.raises(OutputError, match=words):
        Output(name and f"{tmp_path}/{name}")
    assert sorted(os.listdir(tmp_path)) == ["file", "loop"]


@pytest.mark.parametrize("length", [200, 233, 255])
def test_the_longest_names_can_be_written(tmp_path, length):
    write(tmp_path / ("x" * length), "a")
    assert os.listdir(tmp_path) == ["x" * length]


@pytest.mark.parametrize("there", [True, False])
def test_links_are_followed(tmp_path, there):
    (tmp_path / "store").mkdir()
    if there:
        (tmp_path / "store/a").write_text("old")
    os.symlink("store/a", tmp_path / "out")
    write(tmp_path / "out", "new")
    assert (tmp_path / "out").is_symlink() and (tmp_path / "store/a").read_text() == "new"


def test_a_file_that_appears_meanwhile_is_kept(tmp_path):
    with Output(tmp_path / "a") as one, pytest.raises(OutputExists, match="appeared while"):
        (tmp_path / "a").write_text("other")
        one.write("mine")
    assert os.listdir(tmp_path) == ["a"] and (tmp_path / "a").read_text() == "other"


@pytest.mark.parametrize("without", ["renameat2", "renameat2 and links"])
def test_renaming_without_replacing(tmp_path, monkeypatch, without):
    """Where the system has no call for it, too."""
    monkeypatch.setattr(output.sys, "platform", "other")
    if "links" in without:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(errno.EPERM, "no links")))
    for text in ("first", "second"):
        (tmp_path / "part").write_text(text)
        if text == "first":
            rename_new(tmp_path / "part", tmp_path / "a")
            continue
        with pytest.raises(FileExistsError):
            rename_new(tmp_path / "part", tmp_path / "a")
    assert (tmp_path / "a").read_text() == "first" and (tmp_path / "part").read_text() == "second"


def test_of_many_at_once_one_wins(tmp_path):
    start, wins, losses = threading.Barrier(8), [], []

    def contend(number):
        (tmp_path / f"part{number}").write_text(str(number))
        start.wait()
        try:
            rename_new(tmp_path / f"part{number}", tmp_path / "a")
            wins.append(number)
        except FileExistsError:
            losses.append(number)

    threads = [threading.Thread(target=contend, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wins) == 1 and len(losses) == 7 and (tmp_path / "a").read_text() == str(wins[0])


def test_a_name_is_asked_for_once(tmp_path):
    with Output(tmp_path / "a"), pytest.raises(InputError, match="asked for twice"):
        Output(tmp_path / "a")
    Output(tmp_path / "a").discard()


def test_leftovers_of_the_dead_are_removed_and_said(tmp_path):
    code = (
        "import os, sys; from panflow.files.output import Output\n"
        "one = Output(sys.argv[1]); one.part('.tif').write_text('half'); one.part('.tif.ovr.tmp').write_text('half')\n"
        "os._exit(9)"
    )
    for name in ("o.tif", "o.tif.x", "o"):
        subprocess.run([sys.executable, "-c", code, str(tmp_path / name)], check=False)
    assert len(os.listdir(tmp_path)) == 6
    with Output(tmp_path / "o.tif") as one:
        assert "removed what a run that was killed has left" in one.notes[0]
        assert sum(name.startswith(".o.tif.") for name in os.listdir(tmp_path)) == 2  # those of o.tif.x
        one.part(".tif").write_text("at work")
        one.discard()
        one.part(".tif").write_text("at work")
        (tmp_path / one.part(".tif").name.replace(output._host(), "0" * 8)).write_text("elsewhere")
        with Output(tmp_path / "unrelated") as other:
            assert not other.notes
        output._pending.discard(one)  # as another process sees it
        with Output(tmp_path / "o.tif") as two:
            assert "another machine" in two.notes[0] and one.part(".tif").exists()


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_what_the_disk_refuses_is_a_sentence_and_leaves_nothing(tmp_path, monkeypatch, call):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "a").write_text("old")
    monkeypatch.setattr(os, call, full)
    with pytest.raises(OutputError, match="No space left on device; free some space"):
        write(tmp_path / "a", "new")
    assert os.listdir(tmp_path) == ["a"] and (tmp_path / "a").read_text() == "old"


def test_folders(tmp_path):
    assert folder(tmp_path / "a/b").is_dir()
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file/below", tmp_path / ("x" * 300)):
        with pytest.raises(OutputError):
            folder(path)


def test_one_run_at_a_time_writes_to_a_folder(tmp_path):
    with claimed(tmp_path), pytest.raises(OutputError, match="another run writes"), claimed(tmp_path):
        pass
    with claimed(tmp_path):
        pass


def test_lines_are_added_whole_by_several_processes(tmp_path):
    path = tmp_path / "lines.jsonl"
    path.write_text('"whole"\n"cut o')
    code = f"from panflow.files.output import append\nfor k in range(50): append({str(path)!r}, 'x' * 3000)"
    writers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    first, second, *others = path.read_text().splitlines()
    assert (first, second) == ('"whole"', '"cut o') and others == ["x" * 3000] * 150


def test_a_line_that_the_disk_refuses_is_taken_back(tmp_path, monkeypatch):
    path = tmp_path / "lines.jsonl"
    append(path, "first")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        append(path, "second")
    assert path.read_text() == "first\n"
    with pytest.raises(OutputError, match="is a folder"):
        append(tmp_path, "third")
