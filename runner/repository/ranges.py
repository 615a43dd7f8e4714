"""The bytes of a volume, a stream or a file by range: what lies where, and reading no more than that."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Generator, Iterator
from typing import NamedTuple, Protocol

from runner.repository import exports, failures, reader, sequences, streams, volume_map, volumes

_CACHED_PAGES = 64
_ZEROS = bytes(256 * 1024)


class Piece(NamedTuple):
    """A stretch of a content.

    Attributes:
        offset: Where it begins, in bytes.
        length: How long it is.
        chunk: The id of the chunk that holds it, from its first byte to its last; None where there are only zeros.
    """

    offset: int
    length: int
    chunk: bytes | None


class Content(Protocol):
    """Bytes that can be read from any place on."""

    @property
    def size_bytes(self) -> int:
        """How many there are, holes included."""

    def pieces(self, start: int, end: int) -> Iterator[Piece]:
        """Yield the pieces that lie between two offsets, in order and without gaps.

        The first and the last one may reach over the range, for a chunk is there as a whole.
        """


class VolumeContent:
    """The bytes of a volume; one thread at a time uses it.

    Args:
        root: What its manifest says of its map.
        chunks: Reads the pages of the map.
    """

    def __init__(self, root: volume_map.VolumeRoot, chunks: reader.Reader) -> None:
        self._root = root
        self._map = volume_map.MapReader(root, chunks.fetch)

    @property
    def size_bytes(self) -> int:
        """Size of the volume."""
        return self._root.size_bytes

    def pieces(self, start: int, end: int) -> Iterator[Piece]:
        """Yield chunks and holes; a hole may be as long as the volume."""
        end = min(end, self.size_bytes)
        number = start // volume_map.CHUNK
        while number * volume_map.CHUNK < end:
            chunk, following = self._look_up(number)
            offset = number * volume_map.CHUNK
            yield Piece(offset, min(following * volume_map.CHUNK, self.size_bytes) - offset, chunk)
            number = following

    def _look_up(self, number: int) -> tuple[bytes | None, int]:
        """Return the id of a chunk and the number after it; for a zero one, None and the end of the zero subtree."""
        for level in range(self._root.level, -1, -1):
            place = number // volume_map.span(level)
            chunk = self._map.subtree(level, place)
            if chunk == volume_map.HOLE:
                return None, (place + 1) * volume_map.span(level)
        return chunk, number + 1


class SequenceContent:
    """The bytes of a file or a stream.

    Args:
        sequence: Its chunks and holes.
        chunks: Reads the pages of a long sequence.
    """

    def __init__(self, sequence: sequences.ChunkSequence, chunks: reader.Reader) -> None:
        self._sequence = sequence
        self._page = functools.lru_cache(_CACHED_PAGES)(functools.partial(_page, chunks))

    @property
    def size_bytes(self) -> int:
        """Length of the file or stream."""
        return self._sequence.length

    def pieces(self, start: int, end: int) -> Iterator[Piece]:
        """Yield chunks and holes; pages that lie outside of the range are not read."""
        return self._within(self._sequence, 0, start, min(end, self.size_bytes))

    def _within(self, sequence: sequences.ChunkSequence, offset: int, start: int, end: int) -> Iterator[Piece]:
        for chunk, length in sequence.items:
            if offset >= end:
                return
            if offset + length > start:
                if chunk is None or sequence.level == 0:
                    yield Piece(offset, length, chunk)
                else:
                    yield from self._within(self._page(chunk, sequence.level - 1), offset, start, end)
            offset += length


def _page(chunks: reader.Reader, chunk: bytes, level: int) -> sequences.ChunkSequence:
    return sequences.page(chunks.chunk(chunk), level)


def of_export(manifest: exports.Manifest, chunks: reader.Reader) -> Content:
    """Return the bytes of a volume or a stream.

    Raises:
        PathMissing: If the export is a tree, which has no bytes of its own.
        RepositoryDamaged: If the manifest is not what it should be.
    """
    if manifest.kind == volumes.KIND:
        return VolumeContent(volume_map.VolumeRoot.of(manifest), chunks)
    if manifest.kind == streams.KIND:
        top = sequences.from_cbor(manifest.body.get("content"), iter(manifest.roots))
        return SequenceContent(top, chunks)
    raise failures.PathMissing(
        f"the export {manifest.export} is a {manifest.kind}, not a volume or a stream", hint="name a file in it"
    )


def read(content: Content, chunks: reader.Reader, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """Yield the bytes between two offsets in order; a bounded number of chunks is read ahead in several threads.

    Args:
        content: What is read.
        chunks: Reads the chunks.
        start: The first byte.
        end: The byte after the last one; None for the end.

    Raises:
        RepositoryDamaged: If a chunk is missing or not what was written; what was yielded before is good.
    """
    last = content.size_bytes if end is None else min(end, content.size_bytes)
    layout, wanted = itertools.tee(content.pieces(start, last))
    with contextlib.closing(_chunks_of(chunks, wanted)) as found:
        for piece in layout:
            first, stop = max(start - piece.offset, 0), min(last - piece.offset, piece.length)
            if piece.chunk is None:
                yield from zeros(stop - first)
            else:
                yield whole(piece, next(found))[first:stop]


def _chunks_of(chunks: reader.Reader, pieces: Iterator[Piece]) -> Generator[bytes, None, None]:
    yield from chunks.read(piece.chunk for piece in pieces if piece.chunk is not None)


def whole(piece: Piece, content: bytes) -> bytes:
    """Return what a chunk holds if it is as long as its piece.

    Raises:
        RepositoryDamaged: If it is not.
    """
    if len(content) != piece.length:
        raise failures.damaged("a list of chunks", "a chunk has another length than it says")
    return content


def zeros(count: int) -> Iterator[bytes]:
    """Yield so many zero bytes, in blocks."""
    for start in range(0, count, len(_ZEROS)):
        yield _ZEROS[: count - start]
