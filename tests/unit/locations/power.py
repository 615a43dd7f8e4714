"""A disk that forgets at a power loss what nobody has flushed; it notes what the operating system is asked for."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


class PowerLoss(BaseException):
    """The machine is off."""


@dataclass(eq=False)
class _File:
    content: bytes = b""
    durable: bytes = b""
    is_flushed: bool = False


@dataclass(eq=False)
class _Directory:
    names: dict[str, _File | _Directory] = field(default_factory=dict)
    durable: dict[str, _File | _Directory] = field(default_factory=dict)
    pending: list[tuple[str, _File | _Directory | None]] = field(default_factory=list)

    def change(self, name: str, node: _File | _Directory | None) -> None:
        self.pending.append((name, node))
        _apply(self.names, name, node)


def _apply(names: dict[str, _File | _Directory], name: str, node: _File | _Directory | None) -> None:
    if node is None:
        names.pop(name, None)
    else:
        names[name] = node


class Disk:
    """Everything below a directory that is empty at first; it watches what the process asks of the operating system.

    Content is durable from when its file was flushed, a name from when its directory was. Of everything else any part
    may be there after a power loss.

    Attributes:
        off_at: The number of the change before which the power goes; 0 for never.
        changes: How many there were.
    """

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.off_at = 0
        self.changes = 0
        self._root = root
        self._top = _Directory()
        self._descriptors: dict[int, _File | _Directory] = {}
        self._guard = threading.RLock()
        self._real: dict[str, Callable[..., Any]] = {}
        for name in ("open", "writev", "fsync", "fdatasync", "close", "link", "replace", "rename", "unlink", "mkdir"):
            self._real[name] = getattr(os, name)
            monkeypatch.setattr(os, name, getattr(self, f"os_{name}"))

    def after_power_loss(self, target: Path, seed: int) -> None:
        """Make a directory with what may be left now."""
        self._make(self._top, target, random.Random(seed))

    def _make(self, node: _Directory, target: Path, draw: random.Random) -> None:
        self._real["mkdir"](target)
        names = dict(node.durable)
        # A journal keeps the order; without one anything may have been written.
        kept = node.pending[: draw.randrange(len(node.pending) + 1)]
        if draw.random() < 0.5:
            kept = [change for change in node.pending if draw.random() < 0.5]
        for name, found in kept:
            _apply(names, name, found)
        for name, found in names.items():
            if isinstance(found, _Directory):
                self._make(found, target / name, draw)
            else:
                descriptor = self._real["open"](target / name, os.O_WRONLY | os.O_CREAT, 0o600)
                os.write(descriptor, _left(found, draw))
                self._real["close"](descriptor)

    def _locate(self, path: Any) -> tuple[_Directory, str] | None:
        try:
            parts = Path(os.fspath(path)).relative_to(self._root).parts
        except (ValueError, TypeError):
            return None
        node = self._top
        for part in parts[:-1]:
            below = node.names.get(part)
            if not isinstance(below, _Directory):
                return None
            node = below
        return (node, parts[-1]) if parts else (node, "")

    def _change(self, path: Any) -> tuple[_Directory, str] | None:
        place = self._locate(path)
        if place is not None:
            self._count()
        return place

    def _count(self) -> None:
        self.changes += 1
        if 0 < self.off_at <= self.changes:
            raise PowerLoss

    def _node(self, path: Any) -> _File | _Directory | None:
        place = self._locate(path)
        return None if place is None else place[0].names.get(place[1]) if place[1] else place[0]

    def _open_at(self, descriptor: int, path: Any) -> None:
        node = self._node(path)
        if node is not None:
            self._descriptors[descriptor] = node

    # What stands in the place of the functions of `os`.

    def os_open(self, path: Any, flags: int, mode: int = 0o777, **options: Any) -> int:
        with self._guard:
            is_new = bool(flags & os.O_CREAT) and self._node(path) is None
            place = self._change(path) if is_new else None
            descriptor: int = self._real["open"](path, flags, mode, **options)
            if place is not None:
                place[0].change(place[1], _File())
            self._open_at(descriptor, path)
            return descriptor

    def os_writev(self, descriptor: int, buffers: Sequence[bytes]) -> int:
        with self._guard:
            node = self._descriptors.get(descriptor)
            if node is not None:
                self._count()
            written: int = self._real["writev"](descriptor, buffers)
            if isinstance(node, _File):
                node.content += b"".join(buffers)[:written]
                node.is_flushed = False
            return written

    def os_fsync(self, descriptor: int) -> None:
        with self._guard:
            node = self._descriptors.get(descriptor)
            if node is None:
                self._real["fsync"](descriptor)
                return
            self._count()
            if isinstance(node, _File):
                node.durable, node.is_flushed = node.content, True
            else:
                node.durable, node.pending = dict(node.names), []

    os_fdatasync = os_fsync

    def os_close(self, descriptor: int) -> None:
        with self._guard:
            self._descriptors.pop(descriptor, None)
            self._real["close"](descriptor)

    def os_link(self, source: Any, target: Any, **options: Any) -> None:
        with self._guard:
            place = self._change(target)
            self._real["link"](source, target, **options)
            if place is not None:
                place[0].change(place[1], self._node(source))

    def os_replace(self, source: Any, target: Any) -> None:
        with self._guard:
            place, old, node = self._change(target), self._locate(source), self._node(source)
            self._real["replace"](source, target)
            if place is not None and old is not None:
                place[0].change(place[1], node)
                old[0].change(old[1], None)

    os_rename = os_replace

    def os_unlink(self, path: Any, **options: Any) -> None:
        with self._guard:
            place = self._change(path)
            self._real["unlink"](path, **options)
            if place is not None:
                place[0].change(place[1], None)

    def os_mkdir(self, path: Any, mode: int = 0o777, **options: Any) -> None:
        with self._guard:
            place = self._locate(path)
            self._real["mkdir"](path, mode, **options)
            if place is not None and place[1]:
                self._count()
                place[0].change(place[1], _Directory())


def _left(file: _File, draw: random.Random) -> bytes:
    """Return what may be left of a file: all of it if it was flushed, otherwise anything."""
    if file.is_flushed:
        return file.durable
    length = draw.randrange(len(file.content) + 1)
    return draw.choice([b"", file.content[:length], file.content[:length] + bytes(len(file.content) - length)])
