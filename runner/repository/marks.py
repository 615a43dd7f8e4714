"""Which chunks are reachable: one bit for each record of the index, set by walking from manifests."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterator

from runner.base import cancel as cancels
from runner.repository import crypto, exports, failures, reader, records
from runner.repository import index as indexes

_NO_CHUNK = bytes(crypto.ID_SIZE)
_COUNT_SIZE = 4


def references(kind: int, content: bytes) -> Iterator[bytes]:
    """Yield the ids that a chunk refers to.

    Args:
        kind: Its `crypto.Kind`; not that of a manifest.
        content: What it holds.

    Raises:
        RepositoryDamaged: If the content is not of that kind.
    """
    if kind == crypto.Kind.DATA:
        return
    start, end = 0, len(content)
    if kind == crypto.Kind.NODE:
        start = _COUNT_SIZE
        end = start + int.from_bytes(content[:start], "big") * crypto.ID_SIZE
    if (end - start) % crypto.ID_SIZE or end > len(content):
        raise failures.damaged("a chunk that refers to others", "it has the wrong length")
    for position in range(start, end, crypto.ID_SIZE):
        chunk = content[position : position + crypto.ID_SIZE]
        if chunk != _NO_CHUNK:
            yield chunk


class Marks:
    """The bits of all records of an index, by segment; segments that appear meanwhile begin with none.

    Args:
        index: The index.
        rank: Of several records of a chunk, one in the pack with the smallest rank is marked.
    """

    def __init__(self, index: indexes.Index, rank: Callable[[bytes], int] = lambda _: 0) -> None:
        self._index = index
        self._rank = rank
        self._bits: defaultdict[str, bytearray] = defaultdict(bytearray)

    def set(self, place: indexes.Place) -> bool:
        """Mark a record; tell whether it was not marked before."""
        if self.is_set(place.segment, place.number):
            return False
        bits, byte = self._bits[place.segment], place.number >> 3
        bits.extend(bytes(max(0, byte + 1 - len(bits))))
        bits[byte] |= 1 << (place.number & 7)
        return True

    def is_set(self, segment: str, number: int) -> bool:
        """Tell whether a record is marked."""
        bits, byte = self._bits[segment], number >> 3
        return byte < len(bits) and bool(bits[byte] & 1 << (number & 7))

    def walk(
        self,
        manifest: exports.Manifest,
        chunks: reader.Reader,
        cancel: cancels.CancelToken,
        on_problem: Callable[[failures.RepositoryDamaged], None],
    ) -> Iterator[records.Record]:
        """Mark everything that a manifest reaches and yield what was not marked before.

        What another manifest has reached already is not walked again.

        Args:
            manifest: Where to start; it is not marked itself.
            chunks: Reads the chunks that refer to others.
            cancel: Says when to give up.
            on_problem: Called for each chunk that is missing or damaged; the walk goes on with the others.
        """
        waiting = list(reversed(manifest.roots))
        while waiting:
            chunk = waiting.pop()
            place = self._index.place(chunk, self._rank)
            if place is None:
                try:
                    self._index.locate(chunk)
                except failures.RepositoryDamaged as problem:
                    on_problem(problem)
                    continue
                place = self._index.place(chunk, self._rank)
            if place is None or not self.set(place):
                continue
            yield place.record
            if place.record.kind == crypto.Kind.DATA:
                continue
            cancel.raise_if_cancelled()
            try:
                found = self._references(place, chunks)
            except failures.RepositoryDamaged as problem:
                on_problem(problem)
                continue
            waiting += reversed(found)

    def _references(self, place: indexes.Place, chunks: reader.Reader) -> list[bytes]:
        """Read what a chunk refers to; if it is damaged, from where it was stored again, and mark it there as well."""
        try:
            return list(references(place.record.kind, chunks.open_record(place.record)))
        except failures.RepositoryDamaged as problem:
            for other in self._index.places(place.record.id):
                with contextlib.suppress(failures.RepositoryDamaged):
                    found = list(references(other.record.kind, chunks.open_record(other.record)))
                    self.set(other)
                    return found
            raise problem
