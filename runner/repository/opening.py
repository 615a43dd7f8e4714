"""Turn what was fetched into content: decrypt and decompress, into buffers that each thread uses again and again."""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from typing import NamedTuple

import zstandard

from runner.repository import crypto, exports, failures, packs, records

_CACHED_BOXES = 64
_SMALLEST_BUFFER = 128 * 1024


class Sealed(NamedTuple):
    """A chunk that was fetched.

    Attributes:
        number: Which of those that were asked for it is.
        record: Its record.
        data: What is stored of it; good until its thread fetches again.
    """

    number: int
    record: records.Record
    data: memoryview


class Buffers(threading.local):
    """Memory of each thread, which grows to the largest piece that it was asked for."""

    def __init__(self) -> None:
        self._buffers: dict[str, memoryview] = {}

    def get(self, name: str, length: int) -> memoryview:
        """Return a buffer; what it held before is gone."""
        buffer = self._buffers.get(name)
        if buffer is None or len(buffer) < length:
            buffer = self._buffers[name] = memoryview(bytearray(max(length, _SMALLEST_BUFFER)))
        return buffer[:length]


class _Own(threading.local):
    """What each thread has for itself, since no two may use it at once."""

    def __init__(self) -> None:
        self.decompressor = zstandard.ZstdDecompressor()


class Opener:
    """Opens chunks; safe from several threads.

    The tag of a chunk proves that it is the one that was written under this id.

    Args:
        keys: Keys of the repository.
        rehash: Whether to hash contents again, so that even a mistake of the writer is found.
    """

    def __init__(self, keys: crypto.Keys, *, rehash: bool) -> None:
        self._keys = keys
        self._rehash = rehash
        self._buffers = Buffers()
        self._own = _Own()
        self._box = functools.lru_cache(_CACHED_BOXES)(functools.partial(packs.box_of, keys))

    def unseal(self, sealed: Sealed) -> memoryview:
        """Decrypt a chunk and leave it compressed; good until the thread opens another one.

        Raises:
            RepositoryDamaged: If it is not authentic.
        """
        content = self._buffers.get("content", sealed.record.stored - crypto.TAG_SIZE)
        self._unseal_into(sealed, content)
        return content

    def open(self, chunks: Sequence[Sealed]) -> memoryview:
        """Return the contents of some chunks, one behind the other; good until the thread opens others.

        Raises:
            RepositoryDamaged: If one is not what was written.
        """
        size = sum([sealed.record.plain for sealed in chunks])
        # One byte more, so that a chunk that is longer than it should be shows.
        plain = self._buffers.get("plain", size + 1)
        start = 0
        for sealed in chunks:
            end = start + sealed.record.plain
            count = self._put(sealed, plain[start : end + 1])
            if start + count != end or (self._rehash and not self._is_intact(sealed.record, plain[start:end])):
                raise failures.damaged(records.pack_name(sealed.record.pack), "a chunk is not what its id says")
            start = end
        return plain[:size]

    def _put(self, sealed: Sealed, target: memoryview) -> int:
        """Put the content of a chunk into a target, as far as there is room; return how much that is or would be."""
        record = sealed.record
        if record.codec == records.Codec.RAW:
            size = record.stored - crypto.TAG_SIZE
            if size <= len(target):
                self._unseal_into(sealed, target[:size])
            return size
        content = self.unseal(sealed)
        try:
            count: int = self._own.decompressor.stream_reader(content).readinto(target)
        except zstandard.ZstdError as problem:
            raise failures.damaged(records.pack_name(record.pack), "a chunk cannot be decompressed") from problem
        return count

    def _unseal_into(self, sealed: Sealed, target: memoryview) -> None:
        record = sealed.record
        self._box(record.pack).open_into(record.ordinal, sealed.data, record.bound(), target)

    def _is_intact(self, record: records.Record, plain: memoryview) -> bool:
        if record.kind == crypto.Kind.MANIFEST:
            return self._keys.manifest_id(exports.decode(record.id, bytes(plain)).token) == record.id
        return self._keys.chunk_id(crypto.Kind(record.kind), plain) == record.id
