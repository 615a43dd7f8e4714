"""Read a volume page by page in worker threads and build its map in order."""

from __future__ import annotations

import functools
import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from typing import TypeAlias

from runner.registry.driver import BlockReader
from runner.repository import volume_map
from runner.repository.crypto import Kind
from runner.repository.regions import Region
from runner.repository.volume_map import CHUNK, EMPTY_PAGE, FANOUT, HOLE, ID_SIZE
from runner.repository.writer import Writer

Progress: TypeAlias = "Callable[[int, int | None], None]"

# Read at once: as much as stays in the cache of a core until it is sealed.
_GROUP = 16
# Level and id of a subtree, or a page in the making; and the number of the page after it.
_Item: TypeAlias = "tuple[int, bytes | futures.Future[bytes], int]"
# The number of a page, and the regions within it.
_Parts: TypeAlias = "tuple[int, list[Region]]"


class Capture:
    """One pass over a volume.

    Args:
        writer: Takes the chunks and pages.
        reader: The volume.
        base: Map of an earlier export.
        keep: Whether what is not in a region is as in the base; otherwise it is zero.
        progress: Called with how far it has come and the size of the volume, in bytes.
    """

    def __init__(
        self,
        writer: Writer,
        reader: BlockReader,
        base: volume_map.MapReader | None,
        *,
        keep: bool,
        progress: Progress,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._base = base
        self._keep = keep
        self._progress = progress
        self._size = reader.size_bytes
        self._chunks = volume_map.chunks_of(self._size)
        self.level = volume_map.levels_of(self._chunks)
        self._builder = volume_map.MapBuilder(self.level, self._store_page)
        self._local = threading.local()

    def run(self, regions: Iterable[Region]) -> bytes:
        """Store what is in the regions; return the root of the map."""
        waiting: deque[_Item] = deque()
        running = 0
        for item in self._items(regions):
            waiting.append(item)
            running += isinstance(item[1], futures.Future)
            while waiting and (running > self._writer.workers * 2 or not isinstance(waiting[0][1], futures.Future)):
                running -= self._take(waiting.popleft())
        while waiting:
            self._take(waiting.popleft())
        self._progress(self._size, self._size)
        return self._builder.finish()

    def _take(self, item: _Item) -> bool:
        level, found, reached = item
        if not isinstance(found, futures.Future):
            self._builder.append(level, found)
            return False
        self._builder.append(level, found.result())
        self._progress(min(reached * FANOUT * CHUNK, self._size), self._size)
        return True

    def _items(self, regions: Iterable[Region]) -> Iterator[_Item]:
        reached = 0
        for number, parts, old in self._with_base(self._pages(regions)):
            yield from self._untouched(reached, number)
            reached = number + 1
            if parts == [Region(number * FANOUT, (number + 1) * FANOUT, True)]:
                yield 1, HOLE, reached
                continue
            yield 1, self._writer.submit(functools.partial(self._store, number, parts, old)), reached
        yield from self._untouched(reached, self._end_page())

    def _pages(self, regions: Iterable[Region]) -> Iterator[_Parts]:
        last = -1
        parts = (part for region in regions for part in _per_page(region))
        for last, group in itertools.groupby(parts, key=lambda part: part.first // FANOUT):
            yield last, list(group)
        if self._must_cut() and last != self._chunks // FANOUT:
            yield self._chunks // FANOUT, []

    def _must_cut(self) -> bool:
        # Where a volume shrank within a page, the rest of that page is in the base but not in the volume any more.
        return self._keep and self._base is not None and self._shrank() and self._chunks % FANOUT != 0

    def _shrank(self) -> bool:
        return self._base is not None and self._chunks < self._base.root.chunks

    def _end_page(self) -> int:
        if self._keep and self._shrank():
            return -(-self._chunks // FANOUT)
        return volume_map.span(self.level - 1)

    def _untouched(self, page: int, end: int) -> Iterator[_Item]:
        highest = self.level
        if self._keep and self._base is not None:
            highest = min(highest, self._base.root.level)
        while page < end:
            level = 1
            while level < highest and page % volume_map.span(level) == 0 and page + volume_map.span(level) <= end:
                level += 1
            width = volume_map.span(level - 1)
            kept = self._base.subtree(level, page // width) if self._keep and self._base is not None else HOLE
            page += width
            yield level, kept, page

    def _with_base(self, pages: Iterator[_Parts]) -> Iterator[tuple[int, list[Region], bytes]]:
        if self._base is None:
            return ((number, parts, EMPTY_PAGE) for number, parts in pages)
        mine, asked = itertools.tee(pages)
        old = self._base.pages_at(number for number, _ in asked)
        return ((number, parts, page) for (number, parts), page in zip(mine, old, strict=True))

    def _store(self, number: int, parts: list[Region], old: bytes) -> bytes:
        return self._store_page(self._page(number, parts, old))

    def _page(self, number: int, parts: list[Region], old: bytes) -> bytes:
        page = bytearray(old if self._keep else EMPTY_PAGE)
        start = number * FANOUT
        for part in parts:
            if part.zero:
                page[(part.first - start) * ID_SIZE : (part.end - start) * ID_SIZE] = bytes(
                    (part.end - part.first) * ID_SIZE
                )
                continue
            for first in range(part.first, part.end, _GROUP):
                self._read(first, min(first + _GROUP, part.end), start, page, old)
        beyond = max(0, self._chunks - start) * ID_SIZE
        page[beyond:] = bytes(max(0, len(page) - beyond))
        return bytes(page)

    def _read(self, first: int, end: int, start: int, page: bytearray, old: bytes) -> None:
        offset = first * CHUNK
        length = min(end * CHUNK, self._size) - offset
        buffer, view = self._buffer()
        self._reader.read_into(offset, view[:length])
        places, contents = [], []
        for position in range(0, length, CHUNK):
            stop = min(position + CHUNK, length)
            place = (first - start) * ID_SIZE + position // CHUNK * ID_SIZE
            if volume_map.is_zero(buffer, position, stop):
                page[place : place + ID_SIZE] = HOLE
            else:
                places.append(place)
                contents.append(view[position:stop])
        expected = [old[place : place + ID_SIZE] for place in places]
        for place, chunk in zip(places, self._writer.store(contents, Kind.DATA, expected), strict=True):
            page[place : place + ID_SIZE] = chunk
        self._writer.count_read(length)

    def _buffer(self) -> tuple[bytearray, memoryview]:
        try:
            return self._local.buffer, self._local.view
        except AttributeError:
            self._local.buffer = bytearray(_GROUP * CHUNK)
            self._local.view = memoryview(self._local.buffer)
            return self._local.buffer, self._local.view

    def _store_page(self, page: bytes) -> bytes:
        return HOLE if page == EMPTY_PAGE else self._writer.store([page], Kind.PAGE)[0]


def _per_page(region: Region) -> Iterator[Region]:
    first = region.first
    while first < region.end:
        end = min(region.end, (first // FANOUT + 1) * FANOUT)
        yield Region(first, end, region.zero)
        first = end
