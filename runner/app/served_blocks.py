"""The bytes of an export for random reads: few chunks at a time in memory, the next ones on their way."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent import futures
from types import TracebackType
from typing import NamedTuple

from runner.base import errors
from runner.repository import ranges, reader

_CACHE_BYTES = 64 << 20
_AHEAD_BYTES = 4 << 20
_BATCH = 16


class _Cached(NamedTuple):
    """A chunk that is there, or on its way: one of those that are fetched together."""

    batch: futures.Future[list[bytes]]
    number: int
    length: int


class Blocks:
    """Reads a content by offset; safe from several threads; a context, whose end stops its own threads.

    Who reads on where the last read ended gets what follows ahead of time.

    Args:
        content: What is read.
        chunks: Reads the chunks.
        workers: How many threads fetch chunks.
        cache_bytes: How much content is kept at most.
        ahead_bytes: How much is fetched ahead of a sequential reader.
    """

    def __init__(
        self,
        content: ranges.Content,
        chunks: reader.Reader,
        *,
        workers: int = 4,
        cache_bytes: int = _CACHE_BYTES,
        ahead_bytes: int = _AHEAD_BYTES,
    ) -> None:
        self.size_bytes = content.size_bytes
        self._content = content
        self._chunks = chunks
        self._pool = futures.ThreadPoolExecutor(workers, thread_name_prefix="nbd")
        self._lock = threading.Lock()
        self._cache: OrderedDict[bytes, _Cached] = OrderedDict()
        self._cached = 0
        self._cache_bytes = cache_bytes
        self._ahead_bytes = ahead_bytes
        self._next = 0

    def __enter__(self) -> Blocks:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def read(self, offset: int, length: int) -> bytes:
        """Return the bytes from an offset on; the range must lie within the content.

        Raises:
            RepositoryDamaged: If a chunk is missing or not what was written.
            LocationError: If the location cannot be read.
        """
        end = offset + length
        with self._lock:
            pieces = list(self._content.pieces(offset, end))
            found = self._fetch(pieces)
            if offset == self._next and end < self.size_bytes:
                self._fetch(list(self._content.pieces(end, min(end + self._ahead_bytes, self.size_bytes))))
            self._next = end
        parts: list[bytes | memoryview] = []
        for piece in pieces:
            first, stop = max(offset - piece.offset, 0), min(end - piece.offset, piece.length)
            if piece.chunk is None:
                parts.append(bytes(stop - first))
            else:
                parts.append(memoryview(self._result(piece, found[piece.chunk]))[first:stop])
        return b"".join(parts)

    def stretches(self, offset: int, length: int) -> Iterator[tuple[int, bool]]:
        """Yield length and whether it is a hole of the stretches of a range, neighbours joined."""
        end = offset + length
        with self._lock:
            pieces = list(self._content.pieces(offset, end))
        last, is_hole = 0, False
        for piece in pieces:
            size = min(end, piece.offset + piece.length) - max(offset, piece.offset)
            if last and is_hole is not (piece.chunk is None):
                yield last, is_hole
                last = 0
            last, is_hole = last + size, piece.chunk is None
        if last:
            yield last, is_hole

    def _fetch(self, pieces: Sequence[ranges.Piece]) -> dict[bytes, _Cached]:
        """Have chunks fetched that are not there; return what will have their content."""
        named = {piece.chunk: piece.length for piece in pieces if piece.chunk is not None}
        missing = [chunk for chunk in named if chunk not in self._cache]
        for start in range(0, len(missing), _BATCH):
            batch = missing[start : start + _BATCH]
            result = self._pool.submit(self._load, batch)
            for number, chunk in enumerate(batch):
                self._cache[chunk] = _Cached(result, number, named[chunk])
                self._cached += named[chunk]
        for chunk in named:
            self._cache.move_to_end(chunk)
        found = {chunk: self._cache[chunk] for chunk in named}
        while self._cached > self._cache_bytes and len(self._cache) > 1:
            self._cached -= self._cache.popitem(last=False)[1].length
        return found

    def _load(self, chunks: Sequence[bytes]) -> list[bytes]:
        found = dict(self._chunks.fetch(chunks))
        return [found[number] for number in range(len(chunks))]

    def _result(self, piece: ranges.Piece, cached: _Cached) -> bytes:
        try:
            return ranges.whole(piece, cached.batch.result()[cached.number])
        except errors.RunnerError:
            self._forget(cached)
            raise

    def _forget(self, lost: _Cached) -> None:
        """Let chunks that could not be read be tried again."""
        with self._lock:
            for chunk in [chunk for chunk, cached in self._cache.items() if cached.batch is lost.batch]:
                self._cached -= self._cache.pop(chunk).length
