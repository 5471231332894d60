"""Where files lie: on this machine, or where GDAL's own file systems reach (S3, Google, Azure, the web).

The one place that says how GDAL names what a URL means, by which options it reads there, and how files are listed,
measured, read as they are, copied up and deleted. Credentials are GDAL's business (AWS_*, GS_*, AZURE_* of the
environment, or the files of the providers' tools).
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import posixpath
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

import rasterio
import rasterio._base

from panflow.errors import InputError, MissingInput, OutputError, Unreachable

SCHEMES = {
    "s3": "/vsis3/",
    "gs": "/vsigs/",
    "az": "/vsiaz/",
    "http": "/vsicurl/http://",
    "https": "/vsicurl/https://",
}
WRITABLE = ("/vsis3/", "/vsigs/", "/vsiaz/", "/vsiadls/", "/vsioss/", "/vsiswift/", "/vsiwebhdfs/", "/vsimem/")
# What GDAL does where a file is remote; a variable of the environment of the same name wins. Four more attempts after
# 429 and 5xx, the first after a second, then twice as long each; ranges side by side are one request, the head of a
# file comes with its first one.
OPTIONS = {
    "GDAL_HTTP_MAX_RETRY": "4",
    "GDAL_HTTP_RETRY_DELAY": "1",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_INGESTED_BYTES_AT_OPEN": "32768",
    "VSI_CACHE": "TRUE",
}
ABSENT = ("404", "does not exist", "No such file", "NoSuch")  # in GDAL's words of what is not there
DENIED = ("401", "403", "Denied", "denied", "credential", "signature", "NO_SIGN_REQUEST", "InvalidAccess")
END, WHOLE = 2, 2**64 - 1  # fseek's origin; "to its end" of a copy
EXISTS = 1 | 8  # of VSIStatExL: whether it is there, and say why not
HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_int, ctypes.c_char_p)  # of GDAL's errors
STAT = 1024  # bytes, more than any system's struct stat has


def gdal_name(path: str | PurePath) -> str:
    """The name by which GDAL opens what a path or URL means."""
    text = str(path)
    scheme, parted, rest = text.partition("://")
    return SCHEMES[scheme.lower()] + rest if parted and scheme.lower() in SCHEMES else text


def is_remote(path: str | PurePath) -> bool:
    """Whether it is GDAL that reaches a file, rather than the operating system."""
    return gdal_name(path).startswith("/vsi") or "://" in str(path)


def path_of(path: str | PurePath) -> AnyPath:
    """What a path or URL means, to ask and to go on from as pathlib does."""
    return Remote(gdal_name(path)) if gdal_name(path).startswith("/vsi") else Path(path)


def joined(folder: AnyPath, name: str | PurePath) -> AnyPath:
    """A name below a folder, or itself where it stands for its own."""
    return path_of(name) if is_remote(name) or Path(name).is_absolute() else folder / name


def size_of(path: str) -> int | None:
    """Bytes of a file, None where GDAL means something else by the name."""
    where = path_of(path)
    if isinstance(where, Remote):
        return where.size()
    return where.stat().st_size if where.is_file() else None


def sha256(path: str | PurePath) -> str:
    """Of a file's bytes, in hexadecimal."""
    where = path_of(path)
    if isinstance(where, Path):
        with where.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    total = hashlib.sha256()
    for part in where.chunks():
        total.update(part)
    return total.hexdigest()


def plain(path: str) -> PurePath:
    """A path or URL without what a URL asks and signs by (`?...`), for its name."""
    return PurePosixPath(path.partition("?")[0]) if is_remote(path) else Path(path)


def gdal_options(*paths: str | PurePath) -> dict[str, str]:
    """The options of GDAL for reading these images, those of the environment left out."""
    if not any(map(is_remote, paths)):
        return {}
    alone = not any(_has_company(path) for path in paths if is_remote(path))
    return _unset(OPTIONS | ({"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"} if alone else {}))


def _unset(options: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in options.items() if name not in os.environ}


def failure(path: str | PurePath, what: str, words: str) -> InputError:
    """The error for what GDAL says of a remote file; what may pass is an Unreachable."""
    if any(word in words for word in DENIED):
        return InputError(f"{what} {path} may not be read ({words}): are the credentials set, and for this place?")
    if any(word in words for word in ABSENT):
        return MissingInput(f"{what} {path} does not exist, or may not be seen ({words})")
    return Unreachable(f"{what} {path} cannot be read now ({words or 'no answer'}): try again later")


def unread(path: str, words: str) -> InputError:
    """The error for pixels that could not be read."""
    if is_remote(path):
        return Unreachable(f"{path} cannot be read to its end ({words}): was the connection cut? try again")
    return InputError(f"{path} cannot be read to its end: {words}; is the file truncated?")


class Remote(PurePosixPath):
    """A file or folder that GDAL reaches, with the arithmetic of paths; as text it is its URL."""

    __slots__ = ()

    @property
    def gdal(self) -> str:
        """GDAL's name of it."""
        text = super().__str__()
        for scheme in ("http", "https"):  # pathlib has joined the two slashes
            text = text.replace(f"/vsicurl/{scheme}:/", f"/vsicurl/{scheme}://", 1)
        return text

    def __str__(self) -> str:
        text = self.gdal
        for scheme, prefix in SCHEMES.items():
            if text.startswith(prefix):
                return f"{scheme}://{text.removeprefix(prefix)}"
        return text

    def absolute(self) -> Remote:
        return self

    def linked(self, href: str) -> Remote:
        """What a document at this place links to, as the web resolves it: no "..", which names in buckets do not
        know, and never a file of this machine."""
        if is_remote(href):
            return Remote(gdal_name(href))
        parts = Remote(self.gdal.partition("?")[0]).parts
        root = 4 if parts[1] == "vsicurl" else 3  # behind a server, or a bucket
        name, asked, query = href.partition("?")
        below = posixpath.normpath(posixpath.join("/", *parts[root:-1], name)).lstrip("/")
        return Remote(*parts[:root], below + asked + query)

    @property
    def writable(self) -> bool:
        return self.gdal.startswith(WRITABLE)

    def size(self) -> int | None:
        """Bytes of the file; None where there is none. Raises Unreachable where nobody answers."""
        with self._opened() as file:
            if file is None:
                error = failure(self, "file", _words())
                if isinstance(error, Unreachable) and _words():
                    raise error
                return None
            _gdal().VSIFSeekL(file, 0, END)
            return int(_gdal().VSIFTellL(file))

    @property
    def holder(self) -> Remote:
        """The bucket or container that it lies in."""
        return Remote(*self.parts[:3])

    def is_absent(self) -> bool:
        """Whether the place is sure not to exist: what may not be seen may."""
        with rasterio.Env(**_unset(OPTIONS)):
            _gdal().VSIErrorReset()
            return not self._there() and any(word in _words() for word in ABSENT)

    def _there(self) -> bool:
        return _gdal().VSIStatExL(self.gdal.encode(), ctypes.create_string_buffer(STAT), EXISTS) == 0

    def exists(self) -> bool:
        return self.is_file()

    def is_file(self) -> bool:
        return self.size() is not None

    def is_dir(self) -> bool:
        return any(True for _ in self.walk(0))

    def walk(self, depth: int) -> Iterator[tuple[Remote, bool]]:
        """What lies in the folder and `depth` folders down, and whether it is a file; nothing where there is no such
        folder, or a web server shows no index. Raises InputError, Unreachable."""
        for name, folder in _listed(self.gdal):
            yield self / name, not folder
            if folder and depth:
                yield from (self / name).walk(depth - 1)

    def iterdir(self) -> Iterator[Remote]:
        return (path for path, _ in self.walk(0))

    def mkdir(self, parents: bool = False, exist_ok: bool = False) -> None:
        """Nothing: such places have no folders but in names."""

    def read_bytes(self) -> bytes:
        """The content. Raises InputError, MissingInput, Unreachable."""
        return b"".join(self.chunks())

    def chunks(self, most: int = 2**24) -> Iterator[bytes]:
        """The content, so many bytes at a time. Raises InputError, MissingInput, Unreachable."""
        with self._opened() as file:
            if file is None:
                raise failure(self, "file", _words())
            _gdal().VSIFSeekL(file, 0, END)
            left = int(_gdal().VSIFTellL(file))
            _gdal().VSIFSeekL(file, 0, 0)
            while left:
                data = ctypes.create_string_buffer(count := min(left, most))
                if _gdal().VSIFReadL(data, 1, count, file) != count:
                    raise Unreachable(f"file {self} cannot be read to its end ({_words() or 'cut off'}): try again")
                yield data.raw
                left -= count

    def upload(self, file: Path) -> None:
        """A file of this machine becomes this one, whole or not at all. Raises OutputError."""
        with rasterio.Env(**_unset(OPTIONS)):
            _gdal().VSIErrorReset()
            failed = _gdal().VSICopyFile(os.fsencode(file), self.gdal.encode(), None, WHOLE, None, None, None)
            words = _words()
        self._forget()
        if failed:
            raise OutputError(
                f"{self} cannot be written ({words or 'no answer'}): is there such a place, and may these "
                "credentials write to it?"
            )
        arrived, wanted = self.size(), file.stat().st_size
        if arrived != wanted:
            self.unlink()
            raise OutputError(f"{self} has {arrived or 0} bytes after the upload, expected {wanted}: run again")

    def unlink(self, missing_ok: bool = True) -> None:
        with rasterio.Env(**_unset(OPTIONS)):
            _gdal().VSIUnlink(self.gdal.encode())
        self._forget()

    def _forget(self) -> None:
        """What GDAL remembers of the file."""
        _gdal().VSICurlPartialClearCache(self.gdal.encode())

    @contextmanager
    def _opened(self) -> Iterator[int | None]:
        """GDAL's handle of the file, as it is now; None where there is none."""
        with rasterio.Env(**_unset(OPTIONS)):
            self._forget()
            _gdal().VSIErrorReset()
            file = _gdal().VSIFOpenExL(self.gdal.encode(), b"rb", 1) if self._there() else None
            try:
                yield file
            finally:
                if file is not None:
                    _gdal().VSIFCloseL(file)


AnyPath = Path | Remote


def _has_company(path: str | PurePath) -> bool:
    """Whether files lie beside a remote one that GDAL may read with it (.ovr, .aux.xml, .imd, a world file): else it
    need not look for them whenever it opens the file, which is a request each time."""
    file = Remote(gdal_name(path).partition("?")[0])
    images = (".tif", ".tiff", ".jp2", ".ntf")
    if file.suffix.lower() not in images or file.gdal.startswith("/vsimem/"):
        return True
    beside = (name.lower() for name in _names(file.parent) if name != file.name)
    return any(name.startswith(file.stem.lower()) and not name.endswith(images) for name in beside)


@lru_cache(maxsize=256)
def _names(folder: Remote) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except Unreachable:
        raise
    except InputError:  # who may read files may not be let to list them
        return []


def _listed(folder: str) -> list[tuple[str, bool]]:
    """(name, whether it is a folder) of what lies in one, sorted; nothing where there is none.

    GDAL neither tries a listing again nor says that it failed, but for its debug messages: an archive would seem to
    be empty, or shorter than it is. Raises InputError, Unreachable.
    """
    wait = float(os.environ.get("GDAL_HTTP_RETRY_DELAY", OPTIONS["GDAL_HTTP_RETRY_DELAY"]))
    for attempt in range(int(os.environ.get("GDAL_HTTP_MAX_RETRY", OPTIONS["GDAL_HTTP_MAX_RETRY"])) + 1):
        time.sleep(wait * 2 ** (attempt - 1) if attempt else 0)
        entries, complaint = _listed_once(folder)
        if not complaint or not folder.startswith(WRITABLE):
            return entries
        error = failure(Remote(folder), "folder", complaint)
        if isinstance(error, MissingInput):
            return []
        if not isinstance(error, Unreachable):
            break
    raise error


def _listed_once(folder: str) -> tuple[list[tuple[str, bool]], str]:
    """The entries, and what GDAL complained of in the end."""
    complaints: list[str] = []
    handler = HANDLER(lambda _kind, _number, text: complaints.append(text.decode(errors="replace")))
    entries = []
    with rasterio.Env(CPL_DEBUG="S3,GS,AZURE,ADLS,OSS,SWIFT,WEBHDFS", **_unset(OPTIONS)):
        _gdal().CPLPushErrorHandler(handler)
        try:
            listing = _gdal().VSIOpenDir(folder.encode(), 0, None)
            while listing:
                complaints.clear()
                if not (entry := _gdal().VSIGetNextDirEntry(listing)):
                    break
                name = os.fsdecode(entry.contents.name).rstrip("/")
                entries.append((name, entry.contents.mode & 0o170000 == 0o040000))
            if listing:
                _gdal().VSICloseDir(listing)
        finally:
            _gdal().CPLPopErrorHandler()
    return sorted(entries), " ".join(" ".join(complaints).split())[:200]


def _words() -> str:
    """What GDAL's file systems said last, in this thread."""
    return (_gdal().VSIGetLastErrorMsg() or b"").decode(errors="replace").strip().partition("\n")[0]


class _Entry(ctypes.Structure):
    """The head of GDAL's VSIDIREntry."""

    _fields_ = [("name", ctypes.c_char_p), ("mode", ctypes.c_int), ("size", ctypes.c_uint64)]


@cache
def _gdal() -> Any:
    """The GDAL that rasterio has loaded: rasterio itself offers no listing and no copy of what is no image."""
    try:
        gdal = ctypes.CDLL(rasterio._base.__file__)  # a library's symbols are seen through what is linked to it
        text, handle, size = ctypes.c_char_p, ctypes.c_void_p, ctypes.c_uint64
        for name, result, arguments in (
            ("VSIErrorReset", None, []),
            ("VSIGetLastErrorMsg", text, []),
            ("VSIStatExL", ctypes.c_int, [text, handle, ctypes.c_int]),
            ("VSIFOpenExL", handle, [text, text, ctypes.c_int]),
            ("VSIFSeekL", ctypes.c_int, [handle, size, ctypes.c_int]),
            ("VSIFTellL", size, [handle]),
            ("VSIFReadL", ctypes.c_size_t, [handle, ctypes.c_size_t, ctypes.c_size_t, handle]),
            ("VSIFCloseL", ctypes.c_int, [handle]),
            ("VSIUnlink", ctypes.c_int, [text]),
            ("VSICopyFile", ctypes.c_int, [text, text, handle, size, handle, handle, handle]),
            ("VSIOpenDir", handle, [text, ctypes.c_int, handle]),
            ("VSIGetNextDirEntry", ctypes.POINTER(_Entry), [handle]),
            ("VSICloseDir", None, [handle]),
            ("VSICurlPartialClearCache", None, [text]),
            ("CPLPushErrorHandler", None, [HANDLER]),
            ("CPLPopErrorHandler", None, []),
        ):
            function = getattr(gdal, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise InputError(f"this GDAL does not let remote places be listed or written ({error})") from None
    return gdal


__all__ = [
    "AnyPath",
    "Remote",
    "failure",
    "gdal_name",
    "gdal_options",
    "is_remote",
    "joined",
    "path_of",
    "plain",
    "sha256",
    "size_of",
    "unread",
]
