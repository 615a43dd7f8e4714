"""Sequences: the chunks and holes that make up a file, a stream or a list of files, as a Merkle list of pages.

A sequence is a level and a list of items; an item is an id and a length. At level 0 the ids are those of content
chunks, or None for a hole; above, those of pages, each holding items one level below. A page ends where an id says so,
not after a number of items: two sequences that differ in one place share all other pages.

Where a sequence is stored, its ids stand apart from its lengths: see `nodes`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeAlias

import msgspec

from runner.registry.location import Buffer
from runner.repository import crypto, failures, nodes
from runner.repository.encoding import CborValue

Item: TypeAlias = "tuple[bytes | None, int]"

# A sequence with no more items than this is written where it is used; a longer one gets one more level of pages.
_INLINE = 8
# A page ends after an item whose id starts with seven zero bits, from the 16th item on, and at the 1024th.
_LEAST = 16
_MOST = 1024
_MASK = 0xFE
# Pages on their way into the repository, so that nobody waits for each.
_WINDOW = 8


class Ids(Protocol):
    """The ids of chunks that are on their way into the repository."""

    def result(self) -> Sequence[bytes]:
        """Wait for them."""


class Sink(Protocol):
    """What stores chunks: the writer of the repository."""

    def add(self, buffers: Sequence[Buffer], kind: crypto.Kind) -> Ids:
        """Store a batch of chunks."""


class Source(Protocol):
    """What reads chunks back: the reader of the repository."""

    def read(self, ids: Iterable[bytes]) -> Iterator[Buffer]:
        """Yield the chunks in order."""


class ChunkSequence(msgspec.Struct, frozen=True, kw_only=True):
    """A finished sequence."""

    level: int
    items: tuple[Item, ...]

    @property
    def ids(self) -> tuple[bytes, ...]:
        """The ids of its items, without the holes."""
        return tuple([chunk for chunk, _ in self.items if chunk is not None])

    @property
    def length(self) -> int:
        """How many bytes it stands for, holes included."""
        return sum(length for _, length in self.items)

    def to_cbor(self) -> CborValue:
        """Return `[level, lengths]`, in which the length of a hole is negative."""
        return [self.level, [length if chunk is not None else -length for chunk, length in self.items]]


def from_cbor(value: object, ids: Iterator[bytes]) -> ChunkSequence:
    """Read what `to_cbor` returned.

    Args:
        value: `[level, lengths]`.
        ids: The ids, of which it takes as many as it needs.

    Raises:
        RepositoryDamaged: If it is something else.
    """
    # A `match` would take as long as all the rest, for each file of a tree.
    if isinstance(value, list) and len(value) == 2:
        level, lengths = value
        if isinstance(level, int) and isinstance(lengths, list):
            return ChunkSequence(level=level, items=tuple([_item(length, ids) for length in lengths]))
    raise failures.damaged("a list of chunks", "it has another form than it should")


def _item(length: object, ids: Iterator[bytes]) -> Item:
    if not isinstance(length, int):
        raise failures.damaged("a list of chunks", "a length is no number")
    if length <= 0:
        return None, -length
    chunk = next(ids, None)
    if chunk is None:
        raise failures.damaged("a list of chunks", "an id is missing")
    return chunk, length


class SequenceWriter:
    """Builds a sequence item by item, in memory that grows with the depth of the list alone."""

    def __init__(self, sink: Sink, level: int = 0) -> None:
        self._sink = sink
        self._level = level
        self._items: list[Item] = []
        self._pages: deque[tuple[Ids, int]] = deque()
        self._above: SequenceWriter | None = None

    def append(self, chunk: bytes | None, length: int) -> None:
        """Add a chunk, or a hole when it is None."""
        self._items.append((chunk, length))
        count = len(self._items)
        ends = chunk is not None and not chunk[0] & _MASK and count >= _LEAST
        if ends or count >= _MOST:
            self._close_page()

    def finish(self) -> ChunkSequence:
        """Return the whole sequence."""
        if self._above is None and not self._pages and len(self._items) <= _INLINE:
            return ChunkSequence(level=self._level, items=tuple(self._items))
        if self._items:
            self._close_page()
        while self._pages:
            self._lift()
        return self._parent().finish()

    def _close_page(self) -> None:
        page = ChunkSequence(level=self._level, items=tuple(self._items))
        self._items = []
        node = nodes.encode(page.ids, page.to_cbor())
        self._pages.append((self._sink.add([node], crypto.Kind.NODE), page.length))
        if len(self._pages) > _WINDOW:
            self._lift()

    def _lift(self) -> None:
        ids, length = self._pages.popleft()
        self._parent().append(ids.result()[0], length)

    def _parent(self) -> SequenceWriter:
        if self._above is None:
            self._above = SequenceWriter(self._sink, self._level + 1)
        return self._above


def items(source: Source, sequence: ChunkSequence) -> Iterator[Item]:
    """Yield the chunks and holes of a sequence in order."""
    if sequence.level == 0:
        yield from sequence.items
        return
    for node in source.read(sequence.ids):
        yield from items(source, page(node, sequence.level - 1))


def page(node: Buffer, level: int) -> ChunkSequence:
    """Read a page of a sequence, which must stand on that level.

    Raises:
        RepositoryDamaged: If it is something else.
    """
    ids, value = nodes.decode(node)
    found = from_cbor(value, iter(ids))
    if found.level != level:
        raise failures.damaged("a list of chunks", "a page stands on the wrong level")
    return found


def chunks(source: Source, sequence: ChunkSequence) -> Iterator[bytes]:
    """Yield the ids of the content chunks of a sequence, in order."""
    return (chunk for chunk, _ in items(source, sequence) if chunk is not None)
