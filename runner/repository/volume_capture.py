"""Read a volume page by page in worker threads and build its map in order."""

from __future__ import annotations

import functools
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from typing import NamedTuple, TypeAlias

from runner.registry.driver import BlockReader
from runner.repository import volume_map, volume_pages
from runner.repository.regions import Region
from runner.repository.volume_map import CHUNK, EMPTY_PAGE, FANOUT, HOLE
from runner.repository.volume_pages import Touched
from runner.repository.writer import Writer

Progress: TypeAlias = "Callable[[int, int | None], None]"

# Subtrees whose turn has not come, because one before them is still being read.
_WAITING = 256
# The number of a page, and the regions within it.
_Parts: TypeAlias = "tuple[int, list[Region]]"


class _Pages(NamedTuple):
    """One of several pages that are being stored together."""

    stored: futures.Future[list[bytes]]
    place: int


class _Item(NamedTuple):
    """The next subtree: its level, its id or where that comes from, and the number of the page after it."""

    level: int
    found: bytes | _Pages
    reached: int

    @property
    def is_ready(self) -> bool:
        return isinstance(self.found, bytes) or self.found.stored.done()


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
        self._store = volume_pages.PageStore(writer, reader, keep=keep)
        self._builder = volume_map.MapBuilder(self.level, lambda page: self._store.put([page])[0])

    def run(self, regions: Iterable[Region]) -> bytes:
        """Store what is in the regions; return the root of the map."""
        waiting: deque[_Item] = deque()
        for item in self._items(regions):
            waiting.append(item)
            while waiting and (len(waiting) > _WAITING or waiting[0].is_ready):
                self._take(waiting.popleft())
        while waiting:
            self._take(waiting.popleft())
        self._progress(self._size, self._size)
        return self._builder.finish()

    def _take(self, item: _Item) -> None:
        if isinstance(item.found, bytes):
            self._builder.append(item.level, item.found)
            return
        self._builder.append(item.level, item.found.stored.result()[item.found.place])
        self._progress(min(item.reached * FANOUT * CHUNK, self._size), self._size)

    def _items(self, regions: Iterable[Region]) -> Iterator[_Item]:
        reached = 0
        for together in _together(self._with_base(self._pages(regions))):
            stored = self._writer.submit(functools.partial(self._store.store, together))
            for place, page in enumerate(together):
                yield from self._untouched(reached, page.number)
                reached = page.number + 1
                yield _Item(1, _Pages(stored, place), reached)
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
            yield _Item(level, kept, page)

    def _with_base(self, pages: Iterator[_Parts]) -> Iterator[Touched]:
        if self._base is None:
            return (Touched(number, parts, EMPTY_PAGE) for number, parts in pages)
        mine, asked = itertools.tee(pages)
        old = self._base.pages_at(number for number, _ in asked)
        return (Touched(number, parts, page) for (number, parts), page in zip(mine, old, strict=True))


def _together(pages: Iterable[Touched]) -> Iterator[list[Touched]]:
    """Put pages together until there is enough for a thread to do."""
    batch: list[Touched] = []
    chunks = 0
    for page in pages:
        batch.append(page)
        chunks += sum(part.end - part.first for part in page.parts if not part.zero)
        if chunks >= volume_pages.GROUP or len(batch) == volume_pages.GROUP:
            yield batch
            batch, chunks = [], 0
    if batch:
        yield batch


def _per_page(region: Region) -> Iterator[Region]:
    first = region.first
    while first < region.end:
        end = min(region.end, (first // FANOUT + 1) * FANOUT)
        yield Region(first, end, region.zero)
        first = end
