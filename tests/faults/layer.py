"""A layer around the file operations of Python in which the n-th call fails, once or from there on, as SQLite tests."""

from __future__ import annotations

import builtins
import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

CALLS = ("open", "write", "fsync", "rename", "mmap")


class Failing:
    """Counts calls of a kind below a folder, and fails the n-th (0: none). once: later calls pass again."""

    def __init__(self, kind: str, nth: int, folder: str, once: bool, code: int = errno.ENOSPC):
        self.kind, self.nth, self.folder, self.once, self.code = kind, nth, os.path.realpath(folder), once, code
        self.count = 0

    def hit(self, kind: str, path: Any) -> None:
        if kind != self.kind or not self._below(path):
            return
        self.count += 1
        if self.nth and (self.count == self.nth or (self.count > self.nth and not self.once)):
            raise OSError(self.code, os.strerror(self.code), str(path))

    def _below(self, path: Any) -> bool:
        if isinstance(path, int):
            try:
                path = os.readlink(f"/proc/self/fd/{path}")
            except OSError:
                return False
        try:
            return os.path.realpath(os.fspath(path)).startswith(self.folder + os.sep)
        except (TypeError, ValueError):
            return False


class _File(io.FileIO):
    """A raw file whose writes are counted."""

    layer: Failing

    def write(self, data: Any) -> int | None:
        self.layer.hit("write", self.name)
        return super().write(data)


@contextmanager
def failing(layer: Failing, patch: Callable[[Any, str, Any], None]) -> Iterator[None]:
    """Put the layer below `open`, `os` and memory maps; patch: as pytest's `monkeypatch.setattr`."""
    import mmap

    plain_open, real = (
        builtins.open,
        {name: getattr(os, name) for name in ("open", "fsync", "replace", "link", "write")},
    )

    def opened(file: Any, mode: str = "r", buffering: int = -1, *rest: Any, **options: Any) -> Any:
        if not set(mode) & set("wax+"):
            return plain_open(file, mode, buffering, *rest, **options)
        layer.hit("open", file)
        if not layer._below(file):
            return plain_open(file, mode, buffering, *rest, **options)
        raw = _File(file, mode.replace("b", "").replace("t", ""))
        raw.layer = layer
        if buffering == 0:
            return raw
        buffered: Any = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        if "b" in mode:
            return buffered
        return io.TextIOWrapper(buffered, *rest, **options)

    def call(kind: str, name: str) -> Callable[..., Any]:
        def inner(first: Any, *rest: Any, **options: Any) -> Any:
            layer.hit(kind, first)
            return real[name](first, *rest, **options)

        return inner

    patch(builtins, "open", opened)
    patch(io, "open", opened)
    for name, kind in {"fsync": "fsync", "replace": "rename", "link": "rename", "write": "write"}.items():
        patch(os, name, call(kind, name))
    from panflow.files import output

    straight = output.rename_new

    def renamed(source: Any, target: Any) -> None:
        layer.hit("rename", source)
        straight(source, target)

    patch(output, "rename_new", renamed)
    plain_map = mmap.mmap

    def mapped(handle: int, *rest: Any, **options: Any) -> Any:
        layer.hit("mmap", handle)
        return plain_map(handle, *rest, **options)

    patch(mmap, "mmap", mapped)
    yield
