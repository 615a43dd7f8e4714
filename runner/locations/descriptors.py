"""A bounded cache of open files for reading; what it reads is never older than the file that has the name now."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec


class _Open(msgspec.Struct):
    descriptor: int
    identity: tuple[int, int]
    users: int = 0
    cached: bool = True


class Descriptors:
    """Keeps up to `most` files open; safe from several threads.

    A name is looked up at each use, so a file that was replaced or removed meanwhile, by whomever, is noticed. The
    open file keeps its inode number from being used again, so equal numbers mean the same file.
    """

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._files: OrderedDict[str, _Open] = OrderedDict()

    @contextmanager
    def open(self, path: str) -> Iterator[int]:
        """Give out a descriptor of the file that has this path now; it stays open within the context."""
        file = self._take(path)
        try:
            yield file.descriptor
        finally:
            self._give_back(file)

    def forget(self, path: str) -> None:
        """Close a file that is about to be removed (a network file system would keep it under another name)."""
        with self._lock:
            self._drop(path)

    def _take(self, path: str) -> _Open:
        facts = os.stat(path)
        with self._lock:
            file = self._files.get(path)
            if file is not None and file.identity == (facts.st_dev, facts.st_ino):
                self._files.move_to_end(path)
                file.users += 1
                return file
        return self._add(path)

    def _add(self, path: str) -> _Open:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        facts = os.fstat(descriptor)
        file = _Open(descriptor, (facts.st_dev, facts.st_ino), users=1)
        with self._lock:
            self._drop(path)
            self._files[path] = file
            while len(self._files) > self._most:
                self._drop(next(iter(self._files)))
        return file

    def _drop(self, path: str) -> None:
        file = self._files.pop(path, None)
        if file is not None:
            file.cached = False
            self._close_unused(file)

    def _give_back(self, file: _Open) -> None:
        with self._lock:
            file.users -= 1
            self._close_unused(file)

    @staticmethod
    def _close_unused(file: _Open) -> None:
        if not file.users and not file.cached:
            os.close(file.descriptor)

    def __del__(self) -> None:
        for file in self._files.values():
            os.close(file.descriptor)
