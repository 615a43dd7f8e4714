"""The form of a pack: sealed chunks, a sealed directory, a trailer that says where the directory is."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Sequence
from typing import NamedTuple

from runner.registry import location as locations
from runner.repository import crypto, encoding, failures, records

PREFIX = "data/"
CAPACITY = 16 * 1024 * 1024
# The ordinal has 16 bits in a record.
MOST_CHUNKS = 32_768

_TRAILER = struct.Struct(">4sII4s")
_MAGIC = b"BRPK"
_DIRECTORY = b"directory"
# Read with the trailer: the directory of a pack of volumes is half as long.
_TAIL = 64 * 1024


class Piece(NamedTuple):
    """A chunk that is ready to be sealed into a pack: its content, compressed if that made it smaller."""

    id: bytes
    kind: crypto.Kind
    codec: int
    plain: int
    data: locations.Buffer

    def bound(self) -> bytes:
        """Return what is authenticated with the content."""
        return records.BOUND.pack(self.id, self.kind, self.codec, self.plain)


class PackBuilder:
    """Fills one pack in memory.

    Reserving is for one thread at a time; sealing what was reserved may happen in several threads at once.

    Args:
        keys: Keys of the repository.
        salt: 32 fresh random bytes.
        buffer: At least `CAPACITY` bytes that nobody else uses until the pack is stored.
    """

    def __init__(self, keys: crypto.Keys, salt: bytes, buffer: mmap.mmap) -> None:
        self.salt = salt
        self.entries: list[bytes] = []
        self.buffer = buffer
        self.used = 0
        self._view = memoryview(buffer)
        self._box = crypto.Box(keys, records.pack_name(salt), "pack", salt)

    def has_room(self, pieces: Sequence[Piece]) -> bool:
        """Tell whether all of the pieces fit."""
        size = sum([len(piece.data) for piece in pieces]) + crypto.TAG_SIZE * len(pieces)
        return self.used + size <= len(self.buffer) and len(self.entries) + len(pieces) <= MOST_CHUNKS

    def reserve(self, pieces: Sequence[Piece]) -> tuple[int, int]:
        """Take the next ordinals and bytes for the pieces; return the first of both."""
        first, start = len(self.entries), self.used
        used = start
        for ordinal, (chunk, kind, codec, plain, data) in enumerate(pieces, first):
            stored = len(data) + crypto.TAG_SIZE
            self.entries.append(records.ENTRY.pack(chunk, used, stored, plain, ordinal, codec, kind))
            used += stored
        self.used = used
        return first, start

    def seal(self, pieces: Sequence[Piece], first: int, start: int) -> None:
        """Encrypt pieces to where they were reserved."""
        view, seal_into = self._view, self._box.seal_into
        for ordinal, piece in enumerate(pieces, first):
            end = start + len(piece.data) + crypto.TAG_SIZE
            seal_into(ordinal, piece.data, piece.bound(), view[start:end])
            start = end

    def finish(self) -> list[locations.Buffer]:
        """Return the whole pack as buffers for `Location.put`."""
        directory = encoding.encode({"entries": b"".join(self.entries)})
        sealed = self._box.seal(len(self.entries), directory, _DIRECTORY)
        trailer = _TRAILER.pack(_MAGIC, len(sealed), len(self.entries), _MAGIC)
        return [self._view[: self.used], sealed, trailer]


def box_of(keys: crypto.Keys, salt: bytes) -> crypto.Box:
    """Return the box that opens the parts of a pack."""
    return crypto.Box(keys, records.pack_name(salt), "pack", salt)


def read_directory(location: locations.Location, keys: crypto.Keys, salt: bytes, size: int) -> list[records.Record]:
    """Read the directory of a pack, in the order of ordinals.

    Args:
        location: Where the pack is.
        keys: Keys of the repository.
        salt: The pack.
        size: Length of the whole object.

    Raises:
        RepositoryDamaged: If trailer, directory and size are not as they were written.
    """
    name = records.pack_name(salt)
    if size < _TRAILER.size:
        raise failures.damaged(name, "it is too short")
    tail = bytearray(min(size, _TAIL))
    location.read_into(name, size - len(tail), memoryview(tail))
    magic, length, count, again = _TRAILER.unpack_from(tail, len(tail) - _TRAILER.size)
    start = size - _TRAILER.size - length
    if magic != _MAGIC or again != _MAGIC or start < 0:
        raise failures.damaged(name, "it has no trailer")
    sealed = tail[-_TRAILER.size - length : -_TRAILER.size]
    if len(sealed) < length:
        sealed = bytearray(length)
        location.read_into(name, start, memoryview(sealed))
    entries = encoding.Fields(box_of(keys, salt).open(count, sealed, _DIRECTORY), name).octets("entries")
    if len(entries) != count * records.ENTRY.size:
        raise failures.damaged(name, "its directory has the wrong length")
    found = [records.Record(salt, *entry) for entry in records.ENTRY.iter_unpack(entries)]
    if start != sum(record.stored for record in found):
        raise failures.damaged(name, "its length is not what its directory says")
    return found
