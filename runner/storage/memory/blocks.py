"""Blocks of volumes in memory: reading, writing, and which pages hold data."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from runner.registry import driver, extents

_PAGE = 4096


class Reader:
    """Reads a copy that nobody changes."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size_bytes(self) -> int:
        """Size of the volume."""
        return len(self._data)

    def read_into(self, offset: int, target: memoryview) -> None:
        """Fill `target` from `offset` on."""
        target.cast("B")[:] = memoryview(self._data)[offset : offset + target.nbytes]

    def allocated(self) -> Iterator[driver.Extent]:
        """Yield the stretches of pages that hold something else than zeros."""
        return extents.merged(
            driver.Extent(offset=offset, length=len(page))
            for offset, page in pages(self._data)
            if page.count(0) < len(page)
        )


class Writer:
    """Collects a volume and hands it over at the commit."""

    def __init__(self, size_bytes: int, publish: Callable[[bytes], None]) -> None:
        self._data = bytearray(size_bytes)
        self._publish = publish
        self._lock = threading.Lock()

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write within the volume."""
        view = memoryview(data).cast("B")
        if offset < 0 or offset + len(view) > len(self._data):
            raise ValueError("a write reaches over the end of the volume")
        with self._lock:
            self._data[offset : offset + len(view)] = view

    def commit(self) -> None:
        """Make the volume visible."""
        self._publish(bytes(self._data))


def pages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Cut a volume into pages with their offsets."""
    return ((offset, data[offset : offset + _PAGE]) for offset in range(0, len(data), _PAGE))
