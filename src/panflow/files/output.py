"""The one door for every file that is written: its name is checked before any work, its bytes go into a part file
beside it, and that takes the name when it is whole and on the disk. What is remote is written in the system's folder
for temporary files, and copied up when it is whole.

A part file is named `.NAME.TOKEN.part`, where the token says which process of which machine writes it. So a later run
for the same name can tell a part that a killed run has left, and removes it.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
import re
import socket
import stat
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from hashlib import blake2b
from pathlib import Path, PurePath
from typing import BinaryIO, Self
from weakref import WeakSet

from panflow.errors import InputError, OutputError, OutputExists
from panflow.files.remote import AnyPath, Remote, gdal_name, is_remote

# Files beside an image that GDAL reads with it: added to its name, or in place of its suffix
ADDED = (".ovr", ".msk", ".aux.xml", ".msk.ovr", ".ovr.ovr", ".ovr.msk")
SIDECARS = (".aux.xml", ".ovr", ".msk")  # of a result
REPLACED = (".aux", ".hdr", ".imd", ".prj", ".rpb", ".tfw", ".tifw", ".wld", ".xml", "_rpc.txt")
TOKEN = re.compile(r"(?P<host>[0-9a-f]{8})-(?P<boot>[0-9a-f]{8})-(?P<pid>\d+)-(?P<start>\d+)-\d+")
LONGEST = 95  # bytes that a part's name has beyond the (shortened) name of its file

_lock = threading.RLock()
_pending: WeakSet[Output] = WeakSet()  # what this process has checked and neither published nor given up
_numbers = itertools.count()
_whole = False  # whether all that a command is run for lies on the disk


class Output:
    """A file to be written, as a context: what is not published when it ends leaves nothing behind.

    out: its name; a link is followed to the file that it means. inputs: files of which it may be none, nor one that
    GDAL reads with them (`file,band=n` means the file). overwrite: whether it may replace a regular file; without it,
    a file that appears while work goes on is not replaced either. result: it is (a part of) what the command is run
    for, so that a signal has nothing left to stop once all of them are published. notes: what a user should hear of.

    Raises InputError where the name is that of an input, OutputExists where it is taken, OutputError where nothing can
    be written under it; all of that before any work.
    """

    def __init__(
        self,
        out: str | PurePath,
        *,
        inputs: Iterable[str | PurePath] = (),
        overwrite: bool = False,
        result: bool = False,
    ):
        self.out, self.overwrite, self.result = str(out), overwrite, result
        self.remote = Remote(gdal_name(out)) if is_remote(out) else None
        self.path = Path(tempfile.gettempdir(), self.remote.name) if self.remote else _resolved(self.out)
        self.refuse(inputs)
        if self.remote:
            _refuse_remote(self.remote, overwrite)
        else:
            _refuse_kind(self.out, self.path, overwrite)
        _refuse_folder(self.out, self.path)
        name = f"{_short_hash(self.out)}-{self.path.name}" if self.remote else self.path.name
        self._stem = f".{_shortened(name, _longest_name(self.path.parent) - LONGEST)}."
        self._token = f"{_host()}-{_boot()}-{os.getpid()}-{_start(os.getpid())}-{next(_numbers)}"
        self.notes = _removed_leftovers(self.path.parent, self._stem)
        with _lock:
            if any((other.path, other.remote) == (self.path, self.remote) for other in _pending):
                raise InputError(f"{self.out} is asked for twice: expected another name for each file")
            _pending.add(self)

    def refuse(self, inputs: Iterable[str | PurePath]) -> None:
        """InputError where the file is one of them, or read with one of them."""
        if self.remote:
            _refuse_remote_inputs(self.remote, inputs)
        else:
            _refuse_inputs(self.out, self.path, inputs)

    def part(self, suffix: str = "") -> Path:
        """The name of a part file; one for each suffix."""
        return self.path.with_name(f"{self._stem}{self._token}.part{suffix}")

    def kept(self, suffix: str) -> Path:
        """The name of a file that outlasts the run, for one that resumes it; one for each suffix."""
        return self.path.with_name(f"{self._stem}resume.part{suffix}")

    def publish(self, part: Path | None = None) -> None:
        """The part, which is complete, goes to the disk and takes the name. OutputError where that fails."""
        part = part or self.part()
        if self.remote:
            if not self.overwrite and self.remote.exists():
                raise self._appeared()
            self.remote.upload(part)
            part.unlink()
            self._end(published=True)
            return
        try:
            _synced(part)
            with _lock:
                if self.overwrite:
                    os.replace(part, self.path)
                else:
                    rename_new(part, self.path)
                self._end(published=True)
        except FileExistsError:
            raise self._appeared() from None
        except OSError as error:
            raise _failure(self.out, error) from None
        _sync_folder(self.path.parent)

    def _appeared(self) -> OutputExists:
        return OutputExists(
            f"{self.out} appeared while it was being made, and is left as it is: give another name, or --overwrite"
        )

    def remove_sidecars(self) -> None:
        """Those that a file which was replaced has left."""
        if not self.overwrite:
            return
        target = self.remote or self.path
        for name in _names(target.parent):
            if name in [target.name + sidecar for sidecar in SIDECARS]:
                target.with_name(name).unlink(missing_ok=True)

    @contextmanager
    def file(self) -> Iterator[BinaryIO]:
        """The part file, open for writing; published at the end. OutputError where the disk does not take it."""
        try:
            with open(self.part(), "wb") as file:
                yield file
                file.flush()
                size = file.tell()
            if os.path.getsize(self.part()) != size:
                raise OSError(errno.EIO, "the file is shorter than what was written")
        except OSError as error:
            if isinstance(error, OutputError):
                raise
            raise _failure(self.out, error) from None
        self.publish()

    def write(self, data: str | bytes | memoryview) -> None:
        """The whole content, text in UTF-8. OutputError where the disk does not take it."""
        with self.file() as file:
            file.write(data.encode() if isinstance(data, str) else data)

    def discard(self) -> None:
        """Give the file up: remove what there is of parts, and what GDAL has put beside them."""
        self._remove_parts()
        self._end()

    def _remove_parts(self) -> None:
        for name in _names(self.path.parent):
            if name.startswith(f"{self._stem}{self._token}."):
                with suppress(OSError):
                    os.unlink(self.path.with_name(name))

    def _end(self, published: bool = False) -> None:
        global _whole
        with _lock:
            _pending.discard(self)
            if published and self.result and not any(other.result for other in _pending):
                _whole = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()


def write(out: str | PurePath, data: str | bytes | memoryview, *, overwrite: bool = True) -> None:
    """A file of a run's folder, whole or not at all."""
    with Output(out, overwrite=overwrite) as output:
        output.write(data)


def append(out: str | Path, line: str) -> None:
    """A line at the end of a file, on the disk when this returns: whole or not at all, also where several processes
    write. What a kill has left of a line before it is ended first. OutputError where the disk does not take it."""
    path = _resolved(str(out))
    _refuse_kind(str(out), path, overwrite=True)
    _refuse_folder(str(out), path)
    data = line.encode() + b"\n"
    try:
        with open(path, "ab+", buffering=0) as file, _alone(file.fileno()):
            end = file.seek(0, os.SEEK_END)
            if end:
                file.seek(end - 1)
                data = data if file.read(1) == b"\n" else b"\n" + data
            try:
                if file.write(data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file.fileno())
            except OSError:
                with suppress(OSError):
                    file.truncate(end)
                raise
    except OSError as error:
        raise _failure(str(out), error) from None
    if not end:
        _sync_folder(path.parent)


@contextmanager
def _alone(handle: int) -> Iterator[None]:
    """The only one that writes to an open file, where the system has such locks; closing it ends that."""
    try:
        import fcntl
    except ImportError:  # not a Unix
        yield
        return
    with suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX)
    yield


def any_folder(path: str | PurePath) -> AnyPath:
    """The folder of results, a remote one or as `folder` makes it. OutputError."""
    if not is_remote(path):
        return folder(path)
    remote = Remote(gdal_name(path))
    _refuse_unwritable(remote)
    return remote


def folder(path: str | PurePath) -> Path:
    """The folder, made where it is missing. OutputError where it cannot be, or cannot be written to."""
    if is_remote(path):
        raise OutputError(f"{path} is not on this machine: expected a folder that is")
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise OutputError(f"{path} is a file: expected the name of a folder") from None
    except (OSError, ValueError) as error:
        raise OutputError(f"the folder {path} cannot be made: {reason(error)}") from None
    if not os.access(path, os.W_OK):
        raise OutputError(f"the folder {path} cannot be written to")
    return path


@contextmanager
def several(
    names: Iterable[str | PurePath],
    *,
    inputs: Iterable[str | PurePath] = (),
    overwrite: bool = False,
    result: bool = False,
) -> Iterator[list[Output]]:
    """Outputs that are checked together, before work on any begins."""
    inputs = list(inputs)
    with ExitStack() as stack:
        outputs = (Output(name, inputs=inputs, overwrite=overwrite, result=result) for name in names)
        yield [stack.enter_context(output) for output in outputs]


@contextmanager
def claimed(path: Path) -> Iterator[None]:
    """A folder that one run at a time may write to. OutputError where another one does; it is free when a run dies."""
    try:
        import fcntl
    except ImportError:  # not a Unix: runs are trusted not to meet
        yield
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(
                f"another run writes to {path}: wait until it is done, or choose another folder"
            ) from None
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(handle)


def stop(code: int, last_words: bytes = b"") -> None:
    """End the process at once, whatever its threads do, and leave no part file; returns where all results are whole."""
    _lock.acquire()  # held until the end: nothing is published from here on
    if _whole:
        _lock.release()
        return
    for _ in range(2):  # GDAL's threads go on meanwhile, and may make one more
        for output in list(_pending):
            output._remove_parts()
    with suppress(OSError):
        os.write(2, last_words)
    os._exit(code)


def reason(error: BaseException) -> str:
    """What the system or GDAL says of an error, in one line: the first of the errors that led to it."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = getattr(error, "strerror", None) or str(error)
    return text.strip().partition("\n")[0] or type(error).__name__


def _failure(out: str, error: OSError) -> OutputError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return OutputError(f"{out} cannot be written: {reason(error)}{'; free some space and run again' if full else ''}")


def _resolved(out: str) -> Path:
    """The file that is meant, links followed. OutputError where the name can be that of no file."""
    if not out or out.endswith((os.sep, os.altsep or os.sep)):
        raise OutputError(f"{out or 'an empty name'} is the name of a folder: expected the name of a file")
    try:
        out.encode()
        if os.path.lexists(out):
            with suppress(FileNotFoundError):  # a link to a file that is still to be made
                os.stat(out)
        path = Path(os.path.realpath(out))
        with suppress(FileNotFoundError, NotADirectoryError):
            os.stat(path)
    except UnicodeEncodeError:
        raise OutputError(f"{out!r} is no name in UTF-8: expected another name for the result") from None
    except (OSError, ValueError) as error:
        raise OutputError(f"{out[:80]!r} cannot be written: {reason(error)}; give another name") from None
    return path


def _refuse_unwritable(remote: Remote) -> None:
    if not remote.writable:
        raise OutputError(f"{remote} cannot be written to: expected a file of this machine, s3://, gs:// or az://")


def _refuse_remote(remote: Remote, overwrite: bool) -> None:
    _refuse_unwritable(remote)
    if remote == remote.holder:
        raise OutputError(f"{remote} is a whole bucket: expected the name of a file in it")
    if not overwrite and remote.exists():
        raise OutputExists(f"{remote} exists: give another name, or --overwrite to replace it")
    if remote.holder.is_absent():
        raise OutputError(f"{remote.holder}, where {remote.name} should go, does not exist: make it first")


def _refuse_remote_inputs(remote: Remote, inputs: Iterable[str | PurePath]) -> None:
    for given in inputs:
        for spec in (str(given), str(given).rpartition(",band=")[0]):
            if not is_remote(spec):
                continue
            name = Remote(gdal_name(spec))
            if name == remote:
                raise InputError(f"{remote} is one of the inputs: expected another name for the result")
            beside = [name.with_name(name.name + suffix) for suffix in ADDED]
            beside += [name.with_name(name.stem + end) for suffix in REPLACED for end in (suffix, suffix.upper())]
            if remote in beside:
                raise InputError(f"{remote} is a file that is read with {given}: expected another name for the result")


def _refuse_inputs(out: str, path: Path, inputs: Iterable[str | PurePath]) -> None:
    mine = [path, *(path.with_name(path.name + suffix) for suffix in ADDED)]  # these are removed with an old file
    identities = {identity for each in mine if (identity := _identity(each))}
    for given in inputs:
        if _identity(given) is None:
            given = str(given).rpartition(",band=")[0]
        if _identity(given) is None:  # it does not lie here
            continue
        if _identity(given) in identities:
            raise InputError(f"{out} is one of the inputs: expected another name for the result")
        for name in {Path(os.path.abspath(given)), Path(os.path.realpath(given))}:
            beside = [name.with_name(name.name + suffix) for suffix in ADDED]
            beside += [name.with_name(name.stem + end) for suffix in REPLACED for end in (suffix, suffix.upper())]
            if path in beside or identities & {_identity(each) for each in beside} - {None}:
                raise InputError(f"{out} is a file that is read with {given}: expected another name for the result")


def _refuse_kind(out: str, path: Path, overwrite: bool) -> None:
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return
    if stat.S_ISDIR(mode):
        raise OutputError(f"{out} is a folder: expected the name of a file")
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
        raise OutputError(f"{out} is {kinds.get(stat.S_IFMT(mode), 'a device')}: expected the name of a file")
    if not overwrite:
        raise OutputExists(f"{out} exists: give another name, or --overwrite to replace it")


def _refuse_folder(out: str, path: Path) -> None:
    if not path.parent.is_dir():
        raise OutputError(f"the folder {path.parent} of {out} does not exist: make it first")
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"the folder {path.parent} of {out} cannot be written to")
    longest = _longest_name(path.parent)
    if len(os.fsencode(path.name)) > longest:
        raise OutputError(f"the name {path.name[:40]}... is too long: expected at most {longest} bytes")


def _longest_name(parent: Path) -> int:
    with suppress(OSError, AttributeError, ValueError):
        return os.pathconf(parent, "PC_NAME_MAX")
    return 255


def _shortened(name: str, most: int) -> str:
    """A name of at most so many bytes, which still differs from others'."""
    data = name.encode()
    if len(data) <= most:
        return name
    return data[: most - 9].decode(errors="ignore") + "~" + blake2b(data, digest_size=4).hexdigest()


def _identity(path: str | PurePath) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def rename_new(source: Path, target: Path) -> None:
    """Rename in one step where nothing has that name; else FileExistsError."""
    if sys.platform == "linux":
        with suppress(AttributeError):
            at, noreplace = -100, 1
            if not ctypes.CDLL(None, use_errno=True).renameat2(
                at, os.fsencode(source), at, os.fsencode(target), noreplace
            ):
                return
            code = ctypes.get_errno()
            if code not in (errno.EINVAL, errno.ENOSYS):  # these: a file system or a kernel that cannot
                raise OSError(code, os.strerror(code), str(target))
    if sys.platform == "win32":
        os.rename(source, target)  # which never replaces there
        return
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links: the name is taken first, and replaced then
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        os.replace(source, target)
        return
    os.unlink(source)


def _synced(path: Path) -> None:
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_folder(path: Path) -> None:
    """So that the new name outlives a loss of power; where the system lets a folder be synced."""
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _removed_leftovers(parent: Path, stem: str) -> list[str]:
    """Remove the parts of processes that are no more; what there is to say of them, and of others' parts."""
    removed, others = [], []
    for name in _names(parent):
        token = TOKEN.match(name, len(stem)) if name.startswith(stem) else None
        if token is None or not name.startswith(".part", token.end()):
            continue
        alive = _alive(token)
        if alive is False:
            with suppress(OSError):
                os.unlink(parent / name)
                removed.append(name)
        elif alive is None:
            others.append(name)
    notes = [f"removed what a run that was killed has left: {', '.join(removed)}"] if removed else []
    if others:
        notes.append(f"another machine writes this file, or has left {', '.join(others)}: delete that if none does")
    return notes


def _names(parent: AnyPath) -> list[str]:
    try:
        return [path.name for path in parent.iterdir()]
    except OSError:
        return []


def _alive(token: re.Match[str]) -> bool | None:
    """Whether the process that a token names still runs; None: it cannot be seen from here."""
    if token["host"] != _host():
        return None
    if token["boot"] != _boot():
        return False
    pid = int(token["pid"])
    if sys.platform == "win32":  # where signal 0 ends a process
        return None if pid != os.getpid() else True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return _start(pid) == int(token["start"])


def _short_hash(text: str) -> str:
    return blake2b(text.encode(), digest_size=4).hexdigest()


@cache
def _host() -> str:
    """This machine, and the set of processes that are seen in it: containers have their own."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return _short_hash(socket.gethostname() + space)


@cache
def _boot() -> str:
    try:
        return _short_hash(Path("/proc/sys/kernel/random/boot_id").read_text())
    except OSError:
        return _short_hash("")


def _start(pid: int) -> int:
    """When a process began, in ticks since boot; 0 where the system does not say."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0


__all__ = ["Output", "any_folder", "append", "claimed", "folder", "reason", "rename_new", "several", "stop", "write"]
