"""Keys of a repository and the sealing of its objects: every object has a key of its own, nonces are counters."""

from __future__ import annotations

import struct
from enum import IntEnum

import blake3
from cryptography import exceptions
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import aead
from cryptography.hazmat.primitives.kdf import hkdf

from runner.base import ids
from runner.registry.location import Buffer
from runner.repository import failures

VERSION = 1
KEY_SIZE = 32
SALT_SIZE = 32
ID_SIZE = 32
REPOSITORY_ID_SIZE = 16
TAG_SIZE = 16

_NONCE = struct.Struct(">4xQ")
_ORDINAL = struct.Struct(">I")


class Kind(IntEnum):
    """What a chunk holds, which says how to find the chunks that it refers to.

    `DATA` refers to none. `PAGE` is a sequence of ids, all zero bytes standing for none. `NODE` is a count (4 bytes,
    big-endian), as many ids, and then whatever its format likes. `MANIFEST` is the head of an export.
    """

    DATA = 0
    PAGE = 1
    NODE = 2
    MANIFEST = 3


class Keys:
    """Everything that is derived from the master key.

    Args:
        master: 32 random bytes, kept only in the key slots.
        repository: The 16 bytes that identify the repository.
    """

    def __init__(self, master: bytes, repository: bytes) -> None:
        self.master = master
        self.repository = repository
        self._id_keys = tuple(self.derive(f"chunk id {kind.name.lower()}") for kind in Kind)

    def derive(self, purpose: str, salt: bytes = b"") -> bytes:
        """Derive a key of 32 bytes for one purpose, and one object when a salt is given."""
        kdf = hkdf.HKDF(hashes.SHA256(), KEY_SIZE, self.repository + salt, f"blueprint-runner {purpose}".encode())
        return kdf.derive(self.master)

    def chunk_id(self, kind: Kind, data: Buffer) -> bytes:
        """Return the id of a chunk: equal kind and content, equal id, and only in this repository."""
        return blake3.blake3(data, key=self._id_keys[kind]).digest()

    def manifest_id(self, token: str) -> bytes:
        """Return the id of the manifest of the export that was made with `token`."""
        return self.chunk_id(Kind.MANIFEST, token.encode())

    def seal_object(self, name: str, payload: bytes, random: ids.RandomBytes) -> bytes:
        """Encrypt a small object as a whole; it opens only under its own name."""
        salt = random(SALT_SIZE)
        return salt + Box(self, name, "object", salt).seal(0, payload, name.encode())

    def open_object(self, name: str, data: bytes) -> bytes:
        """Decrypt what `seal_object` wrote.

        Raises:
            RepositoryDamaged: If it is not authentic.
        """
        salt = data[:SALT_SIZE]
        return Box(self, name, "object", salt).open(0, data[SALT_SIZE:], name.encode())


class Box:
    """Seals and opens the parts of one object; safe from several threads.

    Args:
        keys: Keys of the repository.
        name: The object, for errors.
        purpose: Kind of object: `pack`, `segment`, `object`.
        salt: 32 bytes that belong to this object alone, so that no pair of key and nonce is used twice.
    """

    def __init__(self, keys: Keys, name: str, purpose: str, salt: bytes) -> None:
        self._name = name
        self._cipher = aead.AESGCM(keys.derive(purpose, salt))
        self._bound = bytes([VERSION]) + keys.repository + salt

    def seal(self, ordinal: int, data: Buffer, bound: bytes) -> bytes:
        """Encrypt a part; `bound` is authenticated with it but not stored."""
        return self._cipher.encrypt(_NONCE.pack(ordinal), data, self._bound + _ORDINAL.pack(ordinal) + bound)

    def seal_into(self, ordinal: int, data: Buffer, bound: bytes, target: memoryview) -> None:
        """Encrypt a part into a target that is exactly `TAG_SIZE` longer."""
        self._cipher.encrypt_into(_NONCE.pack(ordinal), data, self._bound + _ORDINAL.pack(ordinal) + bound, target)

    def open(self, ordinal: int, data: Buffer, bound: bytes) -> bytes:
        """Decrypt a part.

        Raises:
            RepositoryDamaged: If it is not authentic.
        """
        try:
            return self._cipher.decrypt(_NONCE.pack(ordinal), data, self._bound + _ORDINAL.pack(ordinal) + bound)
        except (exceptions.InvalidTag, ValueError) as problem:
            raise failures.damaged(self._name, f"part {ordinal} is not authentic") from problem

    def open_into(self, ordinal: int, data: Buffer, bound: bytes, target: memoryview) -> None:
        """Decrypt a part into a target that is exactly `TAG_SIZE` shorter.

        Raises:
            RepositoryDamaged: If it is not authentic.
        """
        associated = self._bound + _ORDINAL.pack(ordinal) + bound
        try:
            self._cipher.decrypt_into(_NONCE.pack(ordinal), data, associated, target)
        except (exceptions.InvalidTag, ValueError) as problem:
            raise failures.damaged(self._name, f"part {ordinal} is not authentic") from problem
