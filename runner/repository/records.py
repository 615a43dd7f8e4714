"""Where a chunk lies: the record that directories of packs and index segments are made of."""

from __future__ import annotations

import struct
from typing import NamedTuple

from runner.repository import crypto

# id, offset, stored length, plain length, ordinal, codec, kind; an index segment puts the number of the pack behind.
ENTRY = struct.Struct(">32sIIIHBB")
BOUND = struct.Struct(">32sBBI")
LARGEST_CHUNK = 16 * 1024 * 1024


class Codec:
    """How the content of a chunk is stored."""

    RAW = 0
    ZSTD = 1


class Record(NamedTuple):
    """One chunk in one pack.

    Attributes:
        pack: The salt of the pack, which is also its name.
        ordinal: Its number within the pack, from 0; the nonce.
        stored: Length in the pack, tag included.
        plain: Length of the content.
    """

    pack: bytes
    id: bytes
    offset: int
    stored: int
    plain: int
    ordinal: int
    codec: int
    kind: int

    def bound(self) -> bytes:
        """Return what is authenticated with the content."""
        return BOUND.pack(self.id, self.kind, self.codec, self.plain)

    def entry(self) -> bytes:
        """Return the fixed-size form without the pack."""
        return ENTRY.pack(self.id, self.offset, self.stored, self.plain, self.ordinal, self.codec, self.kind)


def pack_name(salt: bytes) -> str:
    """Return the object of a pack."""
    name = salt.hex()
    return f"data/{name[:2]}/{name}"


def salt_of(name: str) -> bytes | None:
    """Return the pack that an object is, or None if it has not the name of one."""
    try:
        salt = bytes.fromhex(name.rpartition("/")[2])
    except ValueError:
        return None
    return salt if pack_name(salt) == name and len(salt) == crypto.SALT_SIZE else None
