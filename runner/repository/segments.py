"""The form of an index segment: sorted records in sealed blocks, and a sealed summary that is kept in memory."""

from __future__ import annotations

import array
import bisect
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping

from runner.base import ids
from runner.registry import location as locations
from runner.repository import crypto, encoding, failures, records

PREFIX = "index/"
BLOCK = 128

_TRAILER = struct.Struct(">4sII4s")
_MAGIC = b"BRIX"
_RECORD = struct.Struct(">32sIIIHBBI")
_PREFIX_SIZE = 4
_SUMMARY = b"summary"
_BLOCK = b"block"


class Segment:
    """A segment whose summary has been read.

    The resident part is the first four bytes of each id, which is filter and directory in one: its place in the
    sorted array is the number of the record. `lock` is the lock under which it was stored; the segments of the names
    in `replaces` count no more.
    """

    def __init__(self, location: locations.Location, keys: crypto.Keys, name: str, size: int) -> None:
        self.name = name
        self._location = location
        self._object = PREFIX + name
        try:
            salt = bytes.fromhex(name)
        except ValueError as problem:
            raise failures.damaged(self._object, "its name is not that of an index segment") from problem
        self._box = crypto.Box(keys, self._object, "segment", salt)
        self._read_summary(size)

    def _read_summary(self, size: int) -> None:
        if size < _TRAILER.size:
            raise failures.damaged(self._object, "it is too short")
        trailer = bytearray(_TRAILER.size)
        self._location.read_into(self._object, size - _TRAILER.size, memoryview(trailer))
        magic, length, blocks, again = _TRAILER.unpack(trailer)
        start = size - _TRAILER.size - length
        if magic != _MAGIC or again != _MAGIC or start < 0:
            raise failures.damaged(self._object, "it has no trailer")
        sealed = bytearray(length)
        self._location.read_into(self._object, start, memoryview(sealed))
        summary = encoding.Fields(self._box.open(blocks, sealed, _SUMMARY), self._object)
        self.count = summary.integer("count")
        self.packs = summary.octets_items("packs", crypto.SALT_SIZE)
        self.lock = summary.optional_text("lock")
        self.replaces = frozenset(salt.hex() for salt in summary.optional_octets_items("replaces", crypto.SALT_SIZE))
        prefixes = summary.octets("prefixes", self.count * _PREFIX_SIZE)
        if start != self.count * _RECORD.size + blocks * crypto.TAG_SIZE or blocks != -(-self.count // BLOCK):
            raise failures.damaged(self._object, "its length is not what its summary says")
        self.blocks = blocks
        self._prefixes = array.array("I")
        self._prefixes.frombytes(prefixes)
        if sys.byteorder == "little":
            self._prefixes.byteswap()

    def between(self, low: int, high: int) -> array.array[int]:
        """Return the prefixes from `low` up to but not including `high`, in order."""
        first = bisect.bisect_left(self._prefixes, low)
        return self._prefixes[first : bisect.bisect_left(self._prefixes, high, first)]

    def candidates(self, prefix: int) -> range:
        """Return the numbers of the records whose ids start with a prefix (4 bytes as an integer)."""
        first = bisect.bisect_left(self._prefixes, prefix)
        if first == self.count or self._prefixes[first] != prefix:
            return range(0)
        return range(first, bisect.bisect_right(self._prefixes, prefix, first))

    def read_block(self, block: int) -> bytes:
        """Read and decrypt a block: up to `BLOCK` records.

        Raises:
            ObjectMissing: If the segment has been replaced in the meantime.
            RepositoryDamaged: If it is not what was written.
        """
        length = min(BLOCK, self.count - block * BLOCK) * _RECORD.size + crypto.TAG_SIZE
        sealed = bytearray(length)
        offset = block * (BLOCK * _RECORD.size + crypto.TAG_SIZE)
        self._location.read_into(self._object, offset, memoryview(sealed))
        return self._box.open(block, sealed, _BLOCK)

    def verify(self) -> None:
        """Read all blocks.

        Raises:
            RepositoryDamaged: If they are not what was written, or not in order.
        """
        previous = b""
        for number, record in enumerate(self):
            if record.id < previous or int.from_bytes(record.id[:_PREFIX_SIZE], "big") != self._prefixes[number]:
                raise failures.damaged(self._object, "its records are not in order")
            previous = record.id

    def record(self, block: bytes, number: int) -> records.Record:
        """Decode the record of a number from the block that it lies in."""
        return self._decode(_RECORD.unpack_from(block, number % BLOCK * _RECORD.size))

    def _decode(self, fields: tuple[bytes, int, int, int, int, int, int, int]) -> records.Record:
        pack = fields[7]
        if pack >= len(self.packs):
            raise failures.damaged(self._object, "a record names a pack that is not listed")
        return records.Record(self.packs[pack], *fields[:7])

    def records_of(self, block: int) -> Iterator[records.Record]:
        """Yield the records of one block."""
        for fields in _RECORD.iter_unpack(self.read_block(block)):
            yield self._decode(fields)

    def __iter__(self) -> Iterator[records.Record]:
        for block in range(self.blocks):
            yield from self.records_of(block)


def write(
    location: locations.Location,
    keys: crypto.Keys,
    entries: Mapping[bytes, Iterable[bytes]],
    random: ids.RandomBytes,
    *,
    lock: str,
    replaces: Iterable[str] = (),
) -> str:
    """Store a segment; return its name.

    Args:
        location: Where to store it.
        keys: Keys of the repository.
        entries: The entries (`records.ENTRY`) of each pack, by the salt of the pack.
        random: Source of the segment's own salt.
        lock: Name of the lock under which it is stored.
        replaces: Names of segments that count no more from then on.
    """
    packs = sorted(entries)
    rows = sorted(entry + number.to_bytes(4, "big") for number, pack in enumerate(packs) for entry in entries[pack])
    salt = random(crypto.SALT_SIZE)
    name = salt.hex()
    box = crypto.Box(keys, PREFIX + name, "segment", salt)
    parts: list[locations.Buffer] = [
        box.seal(number, b"".join(rows[start : start + BLOCK]), _BLOCK)
        for number, start in enumerate(range(0, len(rows), BLOCK))
    ]
    prefixes = b"".join([row[:_PREFIX_SIZE] for row in rows])
    fields: dict[str, encoding.CborValue] = {"count": len(rows), "packs": packs, "prefixes": prefixes, "lock": lock}
    if replaced := sorted(bytes.fromhex(old) for old in replaces):
        fields["replaces"] = replaced
    summary = encoding.encode(fields)
    sealed = box.seal(len(parts), summary, _SUMMARY)
    blocks = len(parts)
    location.put(PREFIX + name, [*parts, sealed, _TRAILER.pack(_MAGIC, len(sealed), blocks, _MAGIC)])
    return name
