"""Blocks of volumes in memory: reading, writing, and which pages hold data."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator

from runner.registry import driver

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
        return merged(
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


def merged(extents: Iterable[driver.Extent]) -> Iterator[driver.Extent]:
    """Join neighbours of the same kind."""
    last: driver.Extent | None = None
    for extent in extents:
        if last is not None and last.end == extent.offset and last.zero == extent.zero:
            last = driver.Extent(offset=last.offset, length=last.length + extent.length, zero=last.zero)
            continue
        if last is not None:
            yield last
        last = extent
    if last is not None:
        yield last
