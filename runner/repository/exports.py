"""What an export is: a manifest, found by the token of the phase that made it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from runner.base import ids
from runner.repository import crypto, encoding
from runner.repository.encoding import CborValue

EXPORT_ID_LENGTH = 26
EXPORT_ID_BITS = 5 * EXPORT_ID_LENGTH


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The head of an export.

    Attributes:
        kind: `volume`, `tree` or `stream`.
        source: What was exported, in words of the function (a volume, paths, a command).
        token: Token of the phase that made it.
        bytes_read: Bytes read from the source.
        bytes_new: Bytes that the repository did not have, before compression.
        bytes_stored: Bytes added to the repository.
        roots: Ids of the chunks from which everything else of the export is reached.
        body: What the format of this kind needs to read it.
        facts: What the maker of the export wants to find again.
    """

    export: ids.ExportId
    kind: str
    source: str
    created: datetime
    token: str
    bytes_read: int
    bytes_new: int
    bytes_stored: int
    roots: tuple[bytes, ...]
    body: Mapping[str, CborValue] = msgspec.field(default_factory=dict)
    facts: Mapping[str, CborValue] = msgspec.field(default_factory=dict)


class ExportResult(msgspec.Struct, frozen=True, kw_only=True):
    """What an export did.

    Attributes:
        method: Which path was taken (`full`, `changed`, `rescan`).
        reason: Why, as a clause for people.
    """

    export: ids.ExportId
    bytes_read: int
    bytes_new: int
    bytes_stored: int
    method: str = "full"
    reason: str = ""


def export_id(manifest: bytes) -> ids.ExportId:
    """Return the id that people see of the id of a manifest chunk."""
    return ids.ExportId(ids.base32(manifest, EXPORT_ID_LENGTH))


def id_bits(export: str) -> bytes | None:
    """Return the id of the manifest as far as the id of the export tells it (32 bytes), or None if it is no id."""
    number = ids.parse_base32(export)
    if number is None or len(export) != EXPORT_ID_LENGTH:
        return None
    return (number << (8 * crypto.ID_SIZE - EXPORT_ID_BITS)).to_bytes(crypto.ID_SIZE, "big")


def encode(manifest: Manifest) -> bytes:
    """Write a manifest."""
    return encoding.encode(
        {
            "kind": manifest.kind,
            "source": manifest.source,
            "created": encoding.from_datetime(manifest.created),
            "token": manifest.token,
            "bytesRead": manifest.bytes_read,
            "bytesNew": manifest.bytes_new,
            "bytesStored": manifest.bytes_stored,
            "roots": list(manifest.roots),
            "body": manifest.body,
            "facts": manifest.facts,
        }
    )


def decode(chunk: bytes, data: bytes) -> Manifest:
    """Read a manifest.

    Args:
        chunk: Its id.
        data: What `encode` wrote.

    Raises:
        RepositoryDamaged: If it is not one.
    """
    export = export_id(chunk)
    fields = encoding.Fields(data, f"the manifest of export {export}")
    return Manifest(
        export=export,
        kind=fields.text("kind"),
        source=fields.text("source"),
        created=fields.moment("created"),
        token=fields.text("token"),
        bytes_read=fields.integer("bytesRead"),
        bytes_new=fields.integer("bytesNew"),
        bytes_stored=fields.integer("bytesStored"),
        roots=fields.octets_items("roots", crypto.ID_SIZE),
        body=fields.mapping("body"),
        facts=fields.mapping("facts"),
    )


def size_of(manifest: Manifest) -> int:
    """Return how many bytes an export has when it is restored, holes included."""
    found = (manifest.body.get("size"), manifest.body.get("length"), manifest.facts.get("bytes"))
    return next((size for size in found if isinstance(size, int)), 0)
