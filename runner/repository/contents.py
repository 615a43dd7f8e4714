"""Bring the content of files and streams into the repository: cut, hash and store, with bounded memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import blake3
import msgspec

from runner.base import cancel as cancels
from runner.registry.location import Buffer
from runner.repository import chunking, crypto, sequences

# Blocks of one file on their way into the repository.
_WINDOW = 8
_BATCH_FILES = 64
_BATCH_BYTES = 1024 * 1024


class ContentWriter:
    """Builds the sequence of one file or stream whose chunks are stored in the background."""

    def __init__(self, sink: sequences.Sink) -> None:
        self._sink = sink
        self._sequence = sequences.SequenceWriter(sink)
        self._waiting: deque[tuple[sequences.Ids | None, Sequence[int]]] = deque()

    def add(self, pieces: Sequence[Buffer]) -> None:
        """Add chunks, in order."""
        if pieces:
            ids = self._sink.add(pieces, crypto.Kind.DATA)
            self._waiting.append((ids, [len(piece) for piece in pieces]))
        while len(self._waiting) > _WINDOW:
            self._settle()

    def add_hole(self, length: int) -> None:
        """Add a hole."""
        if length:
            self._waiting.append((None, (length,)))

    def finish(self) -> sequences.ChunkSequence:
        """Wait for the chunks and return the sequence."""
        while self._waiting:
            self._settle()
        return self._sequence.finish()

    def _settle(self) -> None:
        ids, lengths = self._waiting.popleft()
        if ids is None:
            self._sequence.append(None, lengths[0])
            return
        for chunk, length in zip(ids.result(), lengths, strict=True):
            self._sequence.append(chunk, length)


class _Batch:
    """Small files that are stored together, so that worker threads get enough to do at a time."""

    def __init__(self, sink: sequences.Sink) -> None:
        self._sink = sink
        self._data: list[Buffer] = []
        self._ids: sequences.Ids | None = None
        self._found: Sequence[bytes] | None = None
        self.size = 0

    def add(self, data: bytes) -> Callable[[], sequences.ChunkSequence]:
        number, length = len(self._data), len(data)
        self._data.append(data)
        self.size += length
        return lambda: sequences.ChunkSequence(level=0, items=((self._result()[number], length),))

    @property
    def is_full(self) -> bool:
        return self.size >= _BATCH_BYTES or len(self._data) >= _BATCH_FILES

    @property
    def is_sent(self) -> bool:
        """Whether somebody had to wait for a file of it, so that it takes no more."""
        return self._ids is not None

    def send(self) -> sequences.Ids:
        if self._ids is None:
            self._ids = self._sink.add(self._data, crypto.Kind.DATA)
            self._data = []
        return self._ids

    def _result(self) -> Sequence[bytes]:
        if self._found is None:
            self._found = self.send().result()
        return self._found


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a file, perhaps still on its way.

    Attributes:
        content: Waits for the chunks and returns the sequence; to be called once.
        size: How many bytes there were, holes included.
        hash: BLAKE3 of the data without the holes.
    """

    content: Callable[[], sequences.ChunkSequence]
    size: int
    hash: bytes


class ContentStore:
    """Stores files, many small ones in one batch.

    Args:
        sink: Stores the chunks.
        seed: Seed of the cut points.
        cancel: Says when to give up.
        count: Called with the number of bytes that were read.
    """

    def __init__(
        self, sink: sequences.Sink, *, seed: int, cancel: cancels.CancelToken, count: Callable[[int], None]
    ) -> None:
        self._sink = sink
        self._chunker = chunking.Chunker(seed)
        self._cancel = cancel
        self._count = count
        self._batch = _Batch(sink)
        self._block = memoryview(bytearray(chunking.BLOCK))

    def store(self, descriptor: int, facts: os.stat_result) -> Stored:
        """Read a file up to the size that `facts` says; a file that grows meanwhile is not followed."""
        size = facts.st_size
        if size <= chunking.SINGLE and facts.st_blocks * 512 >= size:
            return self._store_small(descriptor, size)
        return self._store_large(descriptor, size, is_sparse=facts.st_blocks * 512 < size)

    def _store_small(self, descriptor: int, size: int) -> Stored:
        data = os.pread(descriptor, size, 0)
        while len(data) < size and (more := os.pread(descriptor, size - len(data), len(data))):
            data += more
        self._count(len(data))
        digest = blake3.blake3(data).digest()
        if not data:
            return Stored(content=_nothing, size=0, hash=digest)
        if self._batch.is_sent:
            self._batch = _Batch(self._sink)
        content = self._batch.add(data)
        if self._batch.is_full:
            self._batch.send()
        return Stored(content=content, size=len(data), hash=digest)

    def _store_large(self, descriptor: int, size: int, *, is_sparse: bool) -> Stored:
        content = ContentWriter(self._sink)
        hasher = blake3.blake3()
        position = 0
        for start, end in data_extents(descriptor, size) if is_sparse else ((0, size),):
            content.add_hole(start - position)
            position = start
            while position < end:
                self._cancel.raise_if_cancelled()
                filled = read_block(descriptor, self._block[: end - position], position)
                if not filled:
                    break
                block = self._block[:filled]
                hasher.update(block)
                content.add(self._chunker.feed(block))
                position += filled
                self._count(filled)
            content.add(self._chunker.end())
            if position < end:
                return Stored(content=content.finish, size=position, hash=hasher.digest())
        content.add_hole(size - position)
        return Stored(content=content.finish, size=size, hash=hasher.digest())


def _nothing() -> sequences.ChunkSequence:
    return sequences.ChunkSequence(level=0, items=())


def read_block(descriptor: int, target: memoryview, offset: int) -> int:
    """Fill `target` from `offset` on as far as the file goes; return how much that was."""
    filled = 0
    while filled < len(target):
        count = os.preadv(descriptor, [target[filled:]], offset + filled)
        if not count:
            break
        filled += count
    return filled


def data_extents(descriptor: int, size: int, end: int = 0) -> Iterator[tuple[int, int]]:
    """Yield start and end of the stretches between `end` and `size` that are not holes."""
    while end < size:
        try:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError:
            # ENXIO: nothing but a hole up to the end of the file.
            return
        if start >= size:
            return
        end = min(os.lseek(descriptor, start, os.SEEK_HOLE), size)
        if end <= start:
            return
        yield start, end
