"""The map of a volume: a Merkle tree of pages, 128 ids each, in which nothing stands for a region of zeros."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from runner.repository import crypto, exports, failures

CHUNK = 64 * 1024
FANOUT = 128
ID_SIZE = crypto.ID_SIZE
PAGE_SIZE = FANOUT * ID_SIZE
# An id of zero bytes: the whole subtree is zero.
HOLE = bytes(ID_SIZE)
EMPTY_PAGE = bytes(PAGE_SIZE)
_ZEROS = bytes(CHUNK)
# Pages that are read together, and pages that are kept for the next look.
_AHEAD = 64
_KEPT = 256


def is_zero(content: bytearray, start: int, end: int) -> bool:
    """Tell whether a stretch, at most a chunk long, is zero."""
    # `startswith` compares in place and stops at the first difference.
    return content.startswith(_ZEROS if end - start == CHUNK else bytes(end - start), start)


def span(level: int) -> int:
    """Return how many chunks a subtree of a level covers; level 0 is a chunk, level 1 a page of chunks."""
    return int(FANOUT**level)


def levels_of(chunks: int) -> int:
    """Return the level of the root for so many chunks; at least 1."""
    level = 1
    while span(level) < chunks:
        level += 1
    return level


def chunks_of(size_bytes: int) -> int:
    """Return how many chunks a volume has; the last one may be shorter than the others."""
    return -(-size_bytes // CHUNK)


class VolumeRoot(msgspec.Struct, frozen=True, kw_only=True):
    """What the manifest of a volume says of its map."""

    size_bytes: int
    level: int
    root: bytes

    @property
    def chunks(self) -> int:
        """How many chunks the volume has."""
        return chunks_of(self.size_bytes)

    @staticmethod
    def of(manifest: exports.Manifest) -> VolumeRoot:
        """Read it from a manifest.

        Raises:
            RepositoryDamaged: If the manifest is not that of a volume.
        """
        body = manifest.body
        size, level, chunk = body.get("size"), body.get("level"), body.get("chunkSize")
        roots = manifest.roots or (HOLE,)
        if not isinstance(size, int) or not isinstance(level, int) or chunk != CHUNK or len(roots) != 1:
            raise failures.damaged(f"the manifest of export {manifest.export}", "it is not that of a volume")
        return VolumeRoot(size_bytes=size, level=level, root=roots[0])


class MapReader:
    """Walks the map of a volume with a bounded number of pages in memory.

    Args:
        root: The map.
        fetch: Yields number and content of each of some chunks, in any order.
    """

    def __init__(self, root: VolumeRoot, fetch: Callable[[Sequence[bytes]], Iterable[tuple[int, bytes]]]) -> None:
        self.root = root
        self._fetch = fetch
        self._pages: OrderedDict[tuple[int, int], bytes] = OrderedDict()

    def subtree(self, level: int, number: int) -> bytes:
        """Return the id of a subtree, or `HOLE` if it is zero or beyond the end; `level` is at most the root's."""
        if level == self.root.level:
            return self.root.root if number == 0 else HOLE
        page = self._page(level + 1, number // FANOUT)
        start = number % FANOUT * ID_SIZE
        return page[start : start + ID_SIZE]

    def pages_at(self, numbers: Iterable[int]) -> Iterator[bytes]:
        """Yield the pages of chunks of these numbers, which rise; empty ones where the volume is zero or has ended."""
        waiting = iter(numbers)
        while batch := list(itertools.islice(waiting, _AHEAD)):
            yield from self._read([self._leaf(number) for number in batch])

    def pages(self) -> Iterator[tuple[int, bytes]]:
        """Yield number and content of the pages of chunks that are not wholly zero, in order."""
        numbers, again = itertools.tee(self._descend(self.root.level, 0))
        return zip(numbers, self.pages_at(again), strict=True)

    def _leaf(self, number: int) -> bytes:
        return self.subtree(1, number) if number < span(self.root.level - 1) else HOLE

    def _descend(self, level: int, number: int) -> Iterator[int]:
        if self.subtree(level, number) == HOLE:
            return
        if level == 1:
            yield number
            return
        for child in range(FANOUT):
            yield from self._descend(level - 1, number * FANOUT + child)

    def _page(self, level: int, number: int) -> bytes:
        cached = self._pages.get((level, number))
        if cached is None:
            cached = self._read([self.subtree(level, number)])[0]
            self._pages[level, number] = cached
            if len(self._pages) > _KEPT:
                self._pages.popitem(last=False)
        else:
            self._pages.move_to_end((level, number))
        return cached

    def _read(self, chunks: Sequence[bytes]) -> list[bytes]:
        pages = [EMPTY_PAGE] * len(chunks)
        wanted = [place for place, chunk in enumerate(chunks) if chunk != HOLE]
        for number, page in self._fetch([chunks[place] for place in wanted]):
            if len(page) != PAGE_SIZE:
                raise failures.damaged("a page of a map", "it has the wrong length")
            pages[wanted[number]] = page
        return pages


class MapBuilder:
    """Builds a map from the left to the right with one page per level in memory.

    Args:
        level: Level of the root.
        store: Stores a page and returns its id, `HOLE` if there is nothing in it.
    """

    def __init__(self, level: int, store: Callable[[bytes], bytes]) -> None:
        self._level = level
        self._store = store
        self._open = [bytearray() for _ in range(level + 1)]

    def append(self, level: int, subtree: bytes) -> None:
        """Add the next subtree; those of a higher level only where one begins."""
        if level == self._level:
            self._open[level] += subtree
            return
        page = self._open[level]
        page += subtree
        if len(page) == PAGE_SIZE:
            self._close(level)

    def finish(self) -> bytes:
        """Return the id of the root, `HOLE` if everything is zero."""
        for level in range(self._level):
            if self._open[level]:
                self._open[level] += bytes(PAGE_SIZE - len(self._open[level]))
                self._close(level)
        return bytes(self._open[self._level]) or HOLE

    def _close(self, level: int) -> None:
        page = bytes(self._open[level])
        self._open[level].clear()
        self.append(level + 1, self._store(page))
