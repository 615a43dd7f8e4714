"""A reader of repositories written from `docs/repository-format.md` alone: it imports nothing of the runner."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Any

import blake3
import cbor2
import zstandard
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
KINDS = ("data", "page", "node", "manifest")


class Repository:
    """An open repository in a directory."""

    def __init__(self, root: Path, passphrase: str) -> None:
        self.root = root
        payload, mac = self._config()
        self.id: bytes = cbor2.loads(payload)["repository"]
        self.master = self._unlock(passphrase)
        assert blake3.blake3(payload, key=self.key("config")).digest() == mac
        self.records: dict[bytes, tuple[Any, ...]] = {}
        for path in sorted((root / "index").iterdir()):
            self._read_segment(path)

    def key(self, purpose: str, salt: bytes = b"") -> bytes:
        return HKDF(hashes.SHA256(), 32, self.id + salt, f"blueprint-runner {purpose}".encode()).derive(self.master)

    def part(self, purpose: str, salt: bytes, number: int, sealed: bytes, bound: bytes) -> bytes:
        associated = b"\x01" + self.id + salt + struct.pack(">I", number) + bound
        nonce = bytes(4) + struct.pack(">Q", number)
        return AESGCM(self.key(purpose, salt)).decrypt(nonce, sealed, associated)

    def _config(self) -> tuple[bytes, bytes]:
        data = (self.root / "config").read_bytes()
        assert hashlib.sha256(data[:-32]).digest() == data[-32:]
        found = cbor2.loads(data[:-64])
        assert (found["format"], found["version"], found["features"]) == ("blueprint-runner repository", 1, [])
        return data[:-64], data[-64:-32]

    def _unlock(self, passphrase: str) -> bytes:
        (path,) = (self.root / "keys").iterdir()
        data = path.read_bytes()
        assert hashlib.sha256(data[:-32]).digest() == data[-32:]
        outer = cbor2.loads(data[:-32])
        slot = cbor2.loads(outer["slot"])
        assert slot["repository"] == self.id
        wrapping = self._wrapping(slot, passphrase.encode())
        return AESGCM(wrapping).decrypt(bytes(12), outer["wrapped"], outer["slot"])

    @staticmethod
    def _wrapping(slot: dict[str, Any], passphrase: bytes) -> bytes:
        if slot["kdf"] == "hkdf":
            return HKDF(hashes.SHA256(), 32, slot["salt"], b"blueprint-runner passphrase").derive(passphrase)
        assert slot["kdf"] == "argon2id"
        return Argon2id(
            salt=slot["salt"],
            length=32,
            iterations=slot["iterations"],
            lanes=slot["lanes"],
            memory_cost=slot["memoryKiB"],
        ).derive(passphrase)

    def _read_segment(self, path: Path) -> None:
        data, salt = path.read_bytes(), bytes.fromhex(path.name)
        magic, length, blocks, again = struct.unpack(">4sII4s", data[-16:])
        assert magic == again == b"BRIX"
        end = len(data) - 16 - length
        summary = cbor2.loads(self.part("segment", salt, blocks, data[end:-16], b"summary"))
        full = 128 * 52 + 16
        rows = b"".join(
            self.part("segment", salt, number, data[number * full : min(end, (number + 1) * full)], b"block")
            for number in range(blocks)
        )
        assert len(rows) == 52 * summary["count"]
        for row in struct.iter_unpack(">32sIIIHBBI", rows):
            self.records[row[0]] = (summary["packs"][row[7]], *row[1:7])
        assert summary["prefixes"] == b"".join(row[0][:4] for row in struct.iter_unpack(">32s20x", rows))

    def chunk(self, chunk: bytes) -> bytes:
        salt, offset, stored, plain, ordinal, codec, kind = self.records[chunk]
        name = salt.hex()
        pack = (self.root / "data" / name[:2] / name).read_bytes()
        bound = chunk + struct.pack(">BBI", kind, codec, plain)
        content = self.part("pack", salt, ordinal, pack[offset : offset + stored], bound)
        if codec == 1:
            content = zstandard.ZstdDecompressor().decompress(content, max_output_size=plain)
        assert len(content) == plain
        named = cbor2.loads(content)["token"].encode() if KINDS[kind] == "manifest" else content
        assert blake3.blake3(named, key=self.key(f"chunk id {KINDS[kind]}")).digest() == chunk
        return content

    def directory(self, name: str) -> list[tuple[Any, ...]]:
        pack, salt = (self.root / "data" / name[:2] / name).read_bytes(), bytes.fromhex(name)
        magic, length, count, again = struct.unpack(">4sII4s", pack[-16:])
        assert magic == again == b"BRPK"
        sealed = pack[len(pack) - 16 - length : -16]
        return list(
            struct.iter_unpack(
                ">32sIIIHBB", cbor2.loads(self.part("pack", salt, count, sealed, b"directory"))["entries"]
            )
        )

    def small(self, name: str) -> dict[str, Any]:
        data = (self.root / name).read_bytes()
        found: dict[str, Any] = cbor2.loads(self.part("object", data[:32], 0, data[32:], name.encode()))
        return found

    def export(self, wanted: str) -> dict[str, Any]:
        """Return the manifest of an export by the id that people see."""
        for chunk, record in self.records.items():
            number = int.from_bytes(chunk, "big") >> 126
            text = "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(26)))
            if text == wanted and KINDS[record[6]] == "manifest":
                found: dict[str, Any] = cbor2.loads(self.chunk(chunk))
                return found
        raise AssertionError(f"there is no export {wanted}")

    def volume(self, manifest: dict[str, Any]) -> dict[int, bytes]:
        """Return the chunks of a volume that are not zero, by their offsets."""
        found: dict[int, bytes] = {}

        def descend(chunk: bytes, level: int, number: int) -> None:
            if chunk == bytes(32):
                return
            content = self.chunk(chunk)
            if level == 0:
                found[number * 65536] = content
                return
            for place in range(128):
                descend(content[place * 32 : place * 32 + 32], level - 1, number * 128 + place)

        for root in manifest["roots"]:
            descend(root, manifest["body"]["level"], 0)
        return found
