"""Read what changed in some pages of a volume, and store it with the pages: the work of one thread at a time."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import NamedTuple

from runner.registry.driver import BlockReader
from runner.repository import volume_map
from runner.repository.crypto import Kind
from runner.repository.regions import Region
from runner.repository.volume_map import CHUNK, EMPTY_PAGE, FANOUT, HOLE, ID_SIZE
from runner.repository.writer import Writer

# Chunks that are read and stored at once: as many as stay in the cache of a core until they are sealed.
GROUP = 16


class Touched(NamedTuple):
    """A page in which something may have changed: its number, the regions within it, and what it was."""

    number: int
    parts: Sequence[Region]
    old: bytes


class _Own(threading.local):
    """The memory that each thread reads into."""

    def __init__(self) -> None:
        self.buffer = bytearray(GROUP * CHUNK)


class PageStore:
    """Stores pages of one volume; safe from several threads.

    Args:
        writer: Takes the chunks and pages.
        reader: The volume.
        keep: Whether what is not in a region is as it was; otherwise it is zero.
    """

    def __init__(self, writer: Writer, reader: BlockReader, *, keep: bool) -> None:
        self._writer = writer
        self._reader = reader
        self._keep = keep
        self._own = _Own()

    def store(self, touched: Sequence[Touched]) -> list[bytes]:
        """Return the ids of the pages, in order; `HOLE` for one in which there is nothing."""
        group = _Group(self._writer, self._reader, self._own.buffer)
        pages = []
        for number, parts, old in touched:
            page = bytearray(old if self._keep else EMPTY_PAGE)
            for part in parts:
                group.add(part, number * FANOUT, page, old)
            pages.append(page)
        group.flush()
        for page, (number, _, _) in zip(pages, touched, strict=True):
            beyond = max(0, volume_map.chunks_of(self._reader.size_bytes) - number * FANOUT) * ID_SIZE
            page[beyond:] = bytes(max(0, len(page) - beyond))
        return self.put([bytes(page) for page in pages])

    def put(self, pages: Sequence[bytes]) -> list[bytes]:
        """Store pages as they are; return their ids as `store` does."""
        ids = iter(self._writer.store([page for page in pages if page != EMPTY_PAGE], Kind.PAGE))
        return [HOLE if page == EMPTY_PAGE else next(ids) for page in pages]


class _Group:
    """Chunks of several pages that are stored with one call."""

    def __init__(self, writer: Writer, reader: BlockReader, buffer: bytearray) -> None:
        self._writer = writer
        self._reader = reader
        self._size = reader.size_bytes
        self._buffer = buffer
        self._view = memoryview(buffer)
        self._clear()

    def _clear(self) -> None:
        self._used = 0
        self._read = 0
        self._contents: list[memoryview] = []
        # Where the id of each goes, and what stood there.
        self._places: list[tuple[bytearray, int]] = []
        self._expected: list[bytes] = []

    def add(self, part: Region, start: int, page: bytearray, old: bytes) -> None:
        """Read a region of the page that begins with the chunk `start`."""
        if part.zero:
            page[(part.first - start) * ID_SIZE : (part.end - start) * ID_SIZE] = bytes(
                (part.end - part.first) * ID_SIZE
            )
            return
        first = part.first
        while first < part.end:
            end = min(part.end, first + GROUP - self._used)
            self._add(first, end, (first - start) * ID_SIZE, page, old)
            if self._used == GROUP:
                self.flush()
            first = end

    def _add(self, first: int, end: int, place: int, page: bytearray, old: bytes) -> None:
        position = self._used * CHUNK
        length = min(end * CHUNK, self._size) - first * CHUNK
        stop = position + length
        self._reader.read_into(first * CHUNK, self._view[position:stop])
        self._used += end - first
        self._read += length
        while position < stop:
            after = min(position + CHUNK, stop)
            if volume_map.is_zero(self._buffer, position, after):
                page[place : place + ID_SIZE] = HOLE
            else:
                self._contents.append(self._view[position:after])
                self._places.append((page, place))
                self._expected.append(old[place : place + ID_SIZE])
            position = after
            place += ID_SIZE

    def flush(self) -> None:
        """Store what was read, and put the ids where they belong."""
        if self._contents:
            chunks = self._writer.store(self._contents, Kind.DATA, self._expected)
            for (page, place), chunk in zip(self._places, chunks, strict=True):
                page[place : place + ID_SIZE] = chunk
        self._writer.count_read(self._read)
        self._clear()
