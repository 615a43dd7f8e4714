"""Nodes: chunks that refer to other chunks. Their ids stand in front, so that pruning needs to know no format.

A node is the number of ids (4 bytes, big-endian), the ids, and a deterministic CBOR value that takes the ids in order.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import cbor2

from runner.registry.location import Buffer
from runner.repository import crypto, encoding, failures

_COUNT = struct.Struct(">I")


def encode(ids: Sequence[bytes], value: encoding.CborValue) -> bytes:
    """Write a node."""
    return join(ids, encoding.encode(value))


def join(ids: Sequence[bytes], encoded: bytes) -> bytes:
    """Write a node whose value is encoded already."""
    return b"".join((_COUNT.pack(len(ids)), *ids, encoded))


def decode(node: Buffer) -> tuple[list[bytes], object]:
    """Read a node.

    Raises:
        RepositoryDamaged: If it is not one.
    """
    data = bytes(node)
    try:
        (count,) = _COUNT.unpack_from(data)
        end = _COUNT.size + count * crypto.ID_SIZE
        ids = [data[start : start + crypto.ID_SIZE] for start in range(_COUNT.size, end, crypto.ID_SIZE)]
        return ids, cbor2.loads(data[end:])
    except (struct.error, cbor2.CBORError, ValueError) as problem:
        raise failures.damaged("a node", "it cannot be decoded") from problem
